import { OciError } from '../../errors.ts'

/** A tar header block, decoded but not yet merged with the PAX or GNU records before it. */
export interface TarHeader {
  /** The typeflag as a character; `'0'` for NUL. */
  readonly type: string
  /** Names are bytes, one character (U+0000 to U+00FF) each: archives need not be UTF-8. */
  readonly name: string
  readonly linkName: string
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly size: number
  /** Seconds since the epoch, negative before it. */
  readonly mtime: number
  readonly major: number
  readonly minor: number
}

export const blockBytes = 512

/** Number of padding bytes after `size` bytes of data, so that the next header begins at a block. */
export const paddingOf = (size: number): number => (blockBytes - (size % blockBytes)) % blockBytes

/**
 * Decodes the header block at `at`: v7, ustar, star and GNU dialects, told apart by their magic.
 * @throws OciError `ERR_LAYER_INVALID` the checksum is wrong, or a numeric field holds no number
 * @see POSIX.1-2017 pax "ustar Interchange Format"; GNU tar manual "Basic Tar Format"
 */
export function parseTarHeader(block: Buffer, at: number): TarHeader {
  if (!hasValidChecksum(block, at)) {
    throw new OciError('ERR_LAYER_INVALID', 'not a tar archive, or a damaged one: bad header checksum')
  }
  const dialect = dialectOf(block, at)
  const name = text(block, at, 100)
  const prefix = prefixOf(block, at, dialect)
  const type = block[at + 156] ?? 0
  return {
    type: type === 0 ? '0' : String.fromCharCode(type),
    name: prefix === '' ? name : `${prefix}/${name}`,
    linkName: text(block, at + 157, 100),
    mode: number(block, at + 100, 8, 'mode'),
    uid: number(block, at + 108, 8, 'uid'),
    gid: number(block, at + 116, 8, 'gid'),
    size: number(block, at + 124, 12, 'size'),
    mtime: number(block, at + 136, 12, 'mtime'),
    major: dialect === 'v7' ? 0 : number(block, at + 329, 8, 'device major'),
    minor: dialect === 'v7' ? 0 : number(block, at + 337, 8, 'device minor'),
  }
}

type Dialect = 'v7' | 'ustar' | 'star' | 'gnu'

function dialectOf(block: Buffer, at: number): Dialect {
  const magic = block.toString('latin1', at + 257, at + 265)
  if (magic === 'ustar  \0') return 'gnu'
  if (!magic.startsWith('ustar\0')) return 'v7'
  return block.toString('latin1', at + 508, at + 512) === 'tar\0' ? 'star' : 'ustar'
}

function prefixOf(block: Buffer, at: number, dialect: Dialect): string {
  if (dialect === 'ustar') return text(block, at + 345, 155)
  if (dialect === 'star') return text(block, at + 345, 131)
  if (dialect === 'v7' || block[at + 345] === 0) return ''
  // GNU tar keeps atime and ctime where ustar has the prefix; Go before 1.8 wrote a prefix there all the same
  // (golang/go#12594). A field of plain ASCII that is not a pair of times is such a prefix.
  const isTimes = [345, 357].every((field) => parseNumber(block, at + field, 12) !== undefined)
  const prefix = text(block, at + 345, 155)
  return isTimes || /[^\x20-\x7e]/.test(prefix) ? '' : prefix
}

/** The bytes of a field up to its first NUL. */
function text(block: Buffer, start: number, length: number): string {
  const nul = block.indexOf(0, start)
  return block.toString('latin1', start, nul === -1 ? start + length : Math.min(nul, start + length))
}

function number(block: Buffer, start: number, length: number, field: string): number {
  const value = parseNumber(block, start, length)
  if (value !== undefined) return value
  const shown = JSON.stringify(block.toString('latin1', start, start + length))
  throw new OciError('ERR_LAYER_INVALID', `tar header with ${field} ${shown}, which is not a number`)
}

/** An octal number between spaces or NULs, or GNU's base-256; undefined when it is neither or not a safe integer. */
function parseNumber(block: Buffer, start: number, length: number): number | undefined {
  if (((block[start] ?? 0) & 0x80) !== 0) return parseBase256(block, start, length)
  let value = 0
  let at = start
  const end = start + length
  while (at < end && isPadding(block[at])) at += 1
  for (; at < end && !isPadding(block[at]); at += 1) {
    const digit = (block[at] ?? 0) - 48
    if (digit < 0 || digit > 7) return undefined
    value = value * 8 + digit
  }
  for (; at < end; at += 1) if (!isPadding(block[at])) return undefined
  return Number.isSafeInteger(value) ? value : undefined
}

/** A number in GNU's base-256, big-endian two's complement: the highest bit marks the format, the next is the sign. */
function parseBase256(block: Buffer, start: number, length: number): number | undefined {
  const negative = ((block[start] ?? 0) & 0x40) !== 0
  let value = BigInt(((block[start] ?? 0) & 0x7f) - (negative ? 0x80 : 0))
  for (let at = start + 1; at < start + length; at += 1) value = value * 256n + BigInt(block[at] ?? 0)
  const result = Number(value)
  return Number.isSafeInteger(result) ? result : undefined
}

const isPadding = (byte: number | undefined): boolean => byte === 0 || byte === 32

/**
 * True when the stored checksum is the sum of all bytes, with its own field taken as spaces; some old tars summed
 * signed bytes.
 */
function hasValidChecksum(block: Buffer, at: number): boolean {
  let unsigned = 8 * 32
  let high = 0
  for (let i = at; i < at + blockBytes; i += 1) {
    const byte = block[i] ?? 0
    unsigned += byte
    high += byte >> 7
  }
  for (let i = at + 148; i < at + 156; i += 1) {
    const byte = block[i] ?? 0
    unsigned -= byte
    high -= byte >> 7
  }
  const stored = parseNumber(block, at + 148, 8)
  return stored !== undefined && (stored === unsigned || stored === unsigned - 256 * high)
}

/** True for a block of zeros; two of them are the end marker. */
export function isZeroBlock(block: Buffer, at: number): boolean {
  for (let i = at; i < at + blockBytes; i += 1) if (block[i] !== 0) return false
  return true
}
