import { constants } from 'node:fs'
import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, posix } from 'node:path'
import { isSystemError, OciError, reworded } from '../errors.ts'
import { byteSource } from '../layer/byte-source.ts'
import { compressionOf, decompress, magicBytes } from '../layer/decompress.ts'
import { createTarReader, type TarEntry } from '../layer/tar/reader.ts'
import { readChunks } from '../store/blob-file.ts'

/** The position of one regular file's bytes in an archive. */
export interface TarMember {
  readonly name: string
  readonly offset: number
  readonly size: number
}

/** An archive whose members can be read in any order. */
export interface TarIndex {
  readonly path: string
  /**
   * A regular file by name (`./` and links resolved), or undefined.
   * @throws OciError `ERR_SOURCE_INVALID` its links form a loop, or it is a sparse file
   */
  find(name: string): TarMember | undefined
  /** The names of all regular files. */
  names(): readonly string[]
  /** A member's bytes. */
  open(member: TarMember): AsyncIterable<Uint8Array>
  /** All bytes of the archive, uncompressed. */
  openAll(): AsyncIterable<Uint8Array>
  /** A small member in one buffer. @throws OciError `ERR_SOURCE_INVALID` no such member; `ERR_LIMIT_EXCEEDED` */
  read(name: string, limit: number): Promise<Buffer>
  close(): Promise<void>
}

const blockBytes = 512
const maxMembers = 100_000
/** The most header bytes of one entry: a PAX header and long names, 1 MiB each. */
const maxHeaderBytes = 4 * 1024 * 1024
const maxLinks = 32

/**
 * Opens an archive and finds its members, reading headers only. A compressed archive is decompressed into an unnamed
 * temporary file first, since its table of contents may be anywhere in it.
 *
 * @throws OciError `ERR_SOURCE_INVALID` no such file, or not a tar archive
 */
export async function openTarIndex(path: string, signal?: AbortSignal): Promise<TarIndex> {
  const file = await openPlain(path, signal)
  try {
    return createIndex(path, file, await scan(path, file, signal))
  } catch (error) {
    await file.close()
    throw error
  }
}

/**
 * Opens an uncompressed archive that arrives as a stream, and is kept in an unnamed temporary file.
 * @throws as `openTarIndex`
 */
export async function openSpooledTar(
  name: string,
  content: AsyncIterable<Uint8Array>,
  signal?: AbortSignal,
): Promise<TarIndex> {
  const file = await openUnnamed()
  try {
    for await (const chunk of content) {
      signal?.throwIfAborted()
      await file.writeFile(chunk)
    }
    return createIndex(name, file, await scan(name, file, signal))
  } catch (error) {
    await file.close()
    throw error
  }
}

interface Entries {
  readonly members: ReadonlyMap<string, TarMember>
  readonly links: ReadonlyMap<string, string>
  /** Sparse files, whose bytes are not one piece: a rootfs may have them, and an image never does. */
  readonly sparse: ReadonlySet<string>
}

function createIndex(path: string, file: FileHandle, { members, links, sparse }: Entries): TarIndex {
  function find(name: string): TarMember | undefined {
    let at = normalize(name)
    for (let hops = 0; hops < maxLinks; hops++) {
      if (sparse.has(at)) throw new OciError('ERR_SOURCE_INVALID', `"${name}" in ${path} is a sparse file`)
      const target = links.get(at)
      if (target === undefined) return members.get(at)
      at = target
    }
    throw new OciError('ERR_SOURCE_INVALID', `the links of "${name}" in ${path} form a loop`)
  }
  const openMember = ({ offset, size }: TarMember) => exactly(readChunks(file, offset, offset + size), size, path)
  return {
    path,
    find,
    names: () => [...members.keys()],
    open: openMember,
    openAll: () => readChunks(file),
    async read(name, limit) {
      const member = find(name)
      if (member === undefined) throw new OciError('ERR_SOURCE_INVALID', `${path} has no member "${name}"`)
      if (member.size > limit) {
        throw new OciError('ERR_LIMIT_EXCEEDED', `"${name}" in ${path} has more than ${limit} bytes`)
      }
      const chunks: Uint8Array[] = []
      for await (const chunk of openMember(member)) chunks.push(chunk)
      return Buffer.concat(chunks)
    },
    close: () => file.close(),
  }
}

/** Finds every regular file and link; the last entry of a name counts, as for tar itself. */
async function scan(path: string, file: FileHandle, signal: AbortSignal | undefined): Promise<Entries> {
  const members = new Map<string, TarMember>()
  const links = new Map<string, string>()
  const sparse = new Set<string>()
  for (let position = 0; ; ) {
    signal?.throwIfAborted()
    const found = await readEntry(path, file, position)
    if (found === undefined) return { members, links, sparse }
    const { entry, offset, end } = found
    const name = normalize(Buffer.from(entry.path, 'latin1').toString())
    members.delete(name)
    links.delete(name)
    sparse.delete(name)
    const target = Buffer.from(entry.linkPath, 'latin1').toString()
    if (entry.sparse !== undefined) sparse.add(name)
    else if (entry.kind === 'file') members.set(name, { name, offset, size: entry.size })
    if (entry.kind === 'symlink') links.set(name, normalize(posix.join(posix.dirname(name), target)))
    if (entry.kind === 'hardlink') links.set(name, normalize(target))
    if (members.size + links.size + sparse.size > maxMembers) {
      throw new OciError('ERR_LIMIT_EXCEEDED', `${path} has more than ${maxMembers} members; this is no image archive`)
    }
    position = end
  }
}

/** The entry whose headers begin at `position`, and the offsets of its bytes and of what follows; undefined at the end. */
async function readEntry(
  path: string,
  file: FileHandle,
  position: number,
): Promise<{ entry: TarEntry; offset: number; end: number } | undefined> {
  const entries: TarEntry[] = []
  const reader = createTarReader({ entry: (entry) => entries.push(entry), data() {}, end() {} })
  for (let at = position; at - position < maxHeaderBytes; at += blockBytes) {
    const block = Buffer.alloc(blockBytes)
    const { bytesRead } = await file.read(block, 0, blockBytes, at)
    if (at === position && (bytesRead === 0 || (bytesRead === blockBytes && isZero(block)))) return undefined
    if (bytesRead < blockBytes) throw new OciError('ERR_SOURCE_INVALID', `${path} is cut off at byte ${at + bytesRead}`)
    pushHeader(path, block, at, reader.push)
    const [entry] = entries
    if (entry !== undefined) return { entry, offset: at + blockBytes, end: at + blockBytes + reader.left }
  }
  throw new OciError(
    'ERR_LIMIT_EXCEEDED',
    `the headers at byte ${position} of ${path} are larger than ${maxHeaderBytes}`,
  )
}

function pushHeader(path: string, block: Buffer, at: number, push: (block: Buffer) => void): void {
  try {
    push(block)
  } catch (cause) {
    if (!(cause instanceof OciError)) throw cause
    throw new OciError('ERR_SOURCE_INVALID', `${path} is not a tar archive: ${cause.message} at byte ${at}`, { cause })
  }
}

const isZero = (block: Buffer): boolean => block.every((byte) => byte === 0)

async function* exactly(content: AsyncIterable<Uint8Array>, size: number, path: string): AsyncGenerator<Uint8Array> {
  let left = size
  for await (const chunk of content) {
    left -= chunk.byteLength
    yield chunk
  }
  if (left > 0) throw new OciError('ERR_SOURCE_INVALID', `${path} is cut off: ${left} bytes of a member are missing`)
}

/** A member's name with no `./`, no leading slash and no `..` that leads above the archive. */
const normalize = (name: string): string => posix.normalize(`/${name}`).slice(1).replace(/\/$/, '')

/** Opens the archive as an uncompressed file. */
async function openPlain(path: string, signal: AbortSignal | undefined): Promise<FileHandle> {
  const file = await openArchive(path)
  try {
    const start = Buffer.alloc(magicBytes)
    await file.read(start, 0, start.byteLength, 0)
    if (compressionOf(start) === 'none') return file
    const spool = await openUnnamed()
    try {
      for await (const chunk of decompress(byteSource(readChunks(file)), { warn: () => {} })) {
        signal?.throwIfAborted()
        await spool.writeFile(chunk)
      }
    } catch (error) {
      await spool.close()
      throw error instanceof OciError ? reworded(error, `${path}: ${error.message}`) : error
    }
    await file.close()
    return spool
  } catch (error) {
    await file.close()
    throw error
  }
}

async function openArchive(path: string): Promise<FileHandle> {
  try {
    const file = await open(path, constants.O_RDONLY)
    if ((await file.stat()).isFile()) return file
    await file.close()
  } catch (cause) {
    if (!isSystemError(cause)) throw cause
    throw new OciError('ERR_SOURCE_INVALID', `cannot read ${path}: ${cause.code}`, { cause })
  }
  throw new OciError('ERR_SOURCE_INVALID', `${path} is not a file`)
}

/** A temporary file without a name, which is gone when the process ends, in whatever way. */
async function openUnnamed(): Promise<FileHandle> {
  const directory = await mkdtemp(join(tmpdir(), 'bundle-tool-'))
  try {
    return await open(join(directory, 'archive'), 'wx+', 0o600)
  } finally {
    await rm(directory, { recursive: true })
  }
}
