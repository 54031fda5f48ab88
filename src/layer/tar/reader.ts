import { OciError } from '../../errors.ts'
import { blockBytes, isZeroBlock, paddingOf, parseTarHeader, type TarHeader } from './header.ts'
import { type PaxRecords, parsePax, paxNumber, paxTime, paxXattrs, type Timestamp } from './pax.ts'
import {
  oldNumber,
  parseSparseMap,
  paxSparseMap,
  paxSparseSize,
  readOldSparse,
  type SparseMap,
  sparseMap,
} from './sparse.ts'

export type TarEntryKind = 'file' | 'directory' | 'symlink' | 'hardlink' | 'character' | 'block' | 'fifo'

/** One entry of an archive of any dialect. Names are bytes, one character (U+0000 to U+00FF) each. */
export interface TarEntry {
  readonly kind: TarEntryKind
  readonly path: string
  /** Target of a symlink or hard link. */
  readonly linkPath: string
  /** Permission bits, 07777 at most. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Size of a regular file when it is written, holes included; 0 for everything else. */
  readonly size: number
  readonly mtime: Timestamp
  readonly major: number
  readonly minor: number
  readonly xattrs: ReadonlyMap<string, string> | undefined
  readonly sparse: SparseMap | undefined
}

/** The receiver of a reader's entries: `entry`, then any number of `data`, then `end`, for each entry in turn. */
export interface TarSink {
  entry(entry: TarEntry): void
  /** The next bytes of a regular file: `chunk[start..end)`, which must be used before the call returns. */
  data(chunk: Buffer, start: number, end: number): void
  end(): void
  /** Called about what the archive has and is not read. */
  warn?(message: string): void
}

export interface TarReader {
  /** Parses `chunk` and delivers everything in it before returning; bytes past the end marker are ignored. */
  push(chunk: Buffer): void
  /** Bytes of data and padding of the last entry that are still to come. */
  readonly left: number
  /** Ends the archive. @throws OciError `ERR_LAYER_INVALID` the archive stops in the middle of an entry */
  finish(): void
}

/** An entry whose size and map are set last, in place, since a copy takes longer than reading the header. */
type EntryInMaking = TarEntry & { size: number; sparse: SparseMap | undefined }

const noRecords: PaxRecords = new Map()

/** The largest PAX or GNU header, as in GNU tar and Go. Linux limits each extended attribute to 64 KiB. */
const maxMetadataBytes = 1024 * 1024

const kindByTypeflag: Readonly<Record<string, TarEntryKind>> = {
  '0': 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'character',
  '4': 'block',
  '5': 'directory',
  '6': 'fifo',
  '7': 'file',
  S: 'file',
  D: 'directory',
}

/**
 * Reads a tar archive chunk by chunk, calling `sink` synchronously.
 *
 * tar-stream does not serve here: layers need names and extended attributes byte for byte, every dialect (PAX, GNU,
 * base-256, v7, star, four sparse formats), a defined answer where readers are known to disagree (which size counts,
 * which entry a PAX header applies to), and no event-loop turn per entry, since this is the hot path.
 *
 * PAX and GNU long-name headers apply to the next real entry, whatever headers stand between; Solaris' PAX headers (X) are
 * read as such. A PAX size beats the ustar one (CVE-2025-62518). Global headers are ignored, as Go's archive/tar does, and
 * labels of volumes (V). Links, directories, devices and FIFOs have no data, whatever their size field says; neither has a
 * regular file whose name ends in a slash, as v7 has directories, but a directory of an incremental archive (D) has. The last
 * entry need not be padded. An archive ends at a lone block of zeros, as for GNU tar and libarchive.
 * @throws OciError `ERR_LAYER_INVALID` or `ERR_LIMIT_EXCEEDED`, from `push`
 */
export function createTarReader(sink: TarSink): TarReader {
  let pax = noRecords
  let longName = ''
  let longLink = ''
  let zeroBlocks = 0
  let ended = false

  // Either `dataLeft` bytes and then `paddingLeft` bytes are passed over, or `onBlock` gets the next `wanted` bytes in
  // one piece.
  let dataLeft = 0
  let paddingLeft = 0
  let isDelivering = false
  let wanted = blockBytes
  let onBlock = onHeader
  let held: Buffer[] = []
  let heldBytes = 0

  function push(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length && !ended) {
      const left = chunk.length - at
      if (dataLeft > 0) {
        const length = Math.min(dataLeft, left)
        if (isDelivering) sink.data(chunk, at, at + length)
        dataLeft -= length
        at += length
        if (dataLeft === 0) endEntry()
      } else if (paddingLeft > 0) {
        const length = Math.min(paddingLeft, left)
        paddingLeft -= length
        at += length
      } else if (heldBytes === 0 && left >= wanted) {
        const start = at
        at += wanted
        onBlock(chunk, start)
      } else {
        const length = Math.min(wanted - heldBytes, left)
        held.push(Buffer.from(chunk.subarray(at, at + length)))
        heldBytes += length
        at += length
        if (heldBytes === wanted) onHeldBlock()
      }
    }
  }

  function onHeldBlock(): void {
    const block = Buffer.concat(held)
    held = []
    heldBytes = 0
    onBlock(block, 0)
  }

  function onHeader(block: Buffer, at: number): void {
    if (isZeroBlock(block, at)) {
      zeroBlocks += 1
      ended = zeroBlocks === 2
      return
    }
    if (zeroBlocks > 0) {
      sink.warn?.('the archive ends at a lone block of zeros; what follows it is not read')
      ended = true
      return
    }
    const header = parseTarHeader(block, at)
    if (header.size < 0) throw invalid(`tar header of ${shown(header.name)} with a negative size`)
    switch (header.type) {
      case 'x':
      case 'X':
        collect(header, (body) => {
          pax = parsePax(body)
        })
        break
      case 'L':
        collect(header, (body) => {
          longName = untilNul(body)
        })
        break
      case 'K':
        collect(header, (body) => {
          longLink = untilNul(body)
        })
        break
      case 'A':
        sink.warn?.('access control lists of Solaris are not read')
        skip(header.size)
        break
      case 'g':
      case 'V':
        skip(header.size)
        break
      case 'S':
        onOldSparse(header, block, at)
        break
      default:
        onEntry(header, undefined)
    }
  }

  /** Gathers the body of a metadata header. */
  function collect(header: TarHeader, done: (body: Buffer) => void): void {
    if (header.size > maxMetadataBytes) {
      throw new OciError('ERR_LIMIT_EXCEEDED', `tar header of ${header.size} bytes; the limit is ${maxMetadataBytes}`)
    }
    if (header.size === 0) {
      done(Buffer.alloc(0))
      return
    }
    next(header.size + paddingOf(header.size), (block, at) => {
      next(blockBytes, onHeader)
      done(block.subarray(at, at + header.size))
    })
  }

  function next(bytes: number, handler: (block: Buffer, at: number) => void): void {
    wanted = bytes
    onBlock = handler
  }

  function skip(size: number): void {
    isDelivering = false
    dataLeft = size
    paddingLeft = paddingOf(size)
  }

  /**
   * Reads the map of an old GNU sparse file: four segments in the header, then blocks of 21 until one is marked as the
   * last.
   */
  function onOldSparse(header: TarHeader, block: Buffer, at: number): void {
    const numbers: number[] = []
    readOldSparse(block, at + 386, 4, numbers)
    const size = oldNumber(block, at + 483)
    const onMore = (more: Buffer, start: number): void => {
      readOldSparse(more, start, 21, numbers)
      if (more[start + 504] !== 0) return
      next(blockBytes, onHeader)
      onEntry(header, sparseMap(numbers, size))
    }
    if (block[at + 482] !== 0) next(blockBytes, onMore)
    else onEntry(header, sparseMap(numbers, size))
  }

  function onEntry(header: TarHeader, oldSparse: SparseMap | undefined): void {
    const path = longName || pax.get('GNU.sparse.name') || pax.get('path') || header.name
    const kind = kindByTypeflag[header.type]
    if (header.type === 'M') throw invalid(`tar entry ${shown(path)} that is continued from another volume`)
    if (kind === undefined) throw invalid(`tar entry ${shown(path)} of unknown type ${JSON.stringify(header.type)}`)
    const isFile = kind === 'file' && !path.endsWith('/')
    const stored = isFile || header.type === 'D' ? (paxNumber(pax, 'size') ?? header.size) : 0
    if (stored < 0) throw invalid(`PAX header of ${shown(path)} with a negative size`)
    const sparse = isFile ? (oldSparse ?? paxSparseMap(pax)) : undefined
    const mapSize = isFile ? paxSparseSize(pax) : undefined
    const entry: EntryInMaking = {
      kind: kind === 'file' && !isFile ? 'directory' : kind,
      path,
      linkPath: longLink || pax.get('linkpath') || header.linkName,
      mode: header.mode & 0o7777,
      uid: paxNumber(pax, 'uid') ?? header.uid,
      gid: paxNumber(pax, 'gid') ?? header.gid,
      size: 0,
      mtime: paxTime(pax, 'mtime') ?? { seconds: header.mtime, nanoseconds: 0 },
      major: header.major,
      minor: header.minor,
      xattrs: paxXattrs(pax),
      sparse,
    }
    pax = noRecords
    longName = ''
    longLink = ''
    if (mapSize === undefined) deliver(entry, stored)
    else onSparseMap(entry, stored, mapSize)
  }

  /** Reads the map of GNU sparse format 1.0, which takes the first blocks of the data. */
  function onSparseMap(entry: EntryInMaking, stored: number, size: number): void {
    let text = ''
    next(blockBytes, (block, at) => {
      text += block.toString('latin1', at, at + blockBytes)
      const map = text.length > stored ? undefined : parseSparseMap(text, size)
      if (map === undefined && text.length + blockBytes > stored)
        throw invalid(`sparse file ${shown(entry.path)} with a map past its end`)
      if (map === undefined) return
      next(blockBytes, onHeader)
      entry.sparse = map
      deliver(entry, stored - text.length)
    })
  }

  function deliver(entry: EntryInMaking, stored: number): void {
    const data = entry.sparse?.segments.reduce((sum, segment) => sum + segment.length, 0)
    if (data !== undefined && data !== stored) {
      throw invalid(`sparse file ${shown(entry.path)} whose map does not match its data`)
    }
    const isFile = entry.kind === 'file'
    if (isFile) entry.size = entry.sparse?.size ?? stored
    sink.entry(entry)
    isDelivering = isFile
    dataLeft = stored
    paddingLeft = paddingOf(stored)
    if (!isFile || stored === 0) sink.end()
  }

  function endEntry(): void {
    if (isDelivering) sink.end()
    isDelivering = false
  }

  function finish(): void {
    if (ended || zeroBlocks > 0) return
    const isAtHeader = onBlock === onHeader && heldBytes === 0 && dataLeft === 0
    if (!isAtHeader || pax.size > 0 || longName !== '' || longLink !== '') throw invalid('tar archive that is cut off')
  }

  return {
    push,
    finish,
    get left() {
      return dataLeft + paddingLeft
    },
  }
}

function untilNul(body: Buffer): string {
  const nul = body.indexOf(0)
  return body.toString('latin1', 0, nul === -1 ? body.length : nul)
}

/** A name in an archive for a message: in quotes, decoded as UTF-8. */
export const shown = (name: string): string => JSON.stringify(Buffer.from(name, 'latin1').toString())

const invalid = (message: string): OciError => new OciError('ERR_LAYER_INVALID', message)
