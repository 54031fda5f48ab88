import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs'
import { OciError } from '../errors.ts'

export interface ReadFileOptions {
  /** Bytes; a larger file is refused. */
  readonly limit: number
  /** Refuse a symbolic link at the end of the path; default: follow it. */
  readonly noFollow?: boolean
  /** Read what is no regular file as well, which may block: for a file that the caller has named. */
  readonly anyKind?: boolean
  /** Refuse what another user than the caller could have written. */
  readonly ownOnly?: boolean
}

/**
 * The content of a file that somebody else may have put there.
 *
 * Opening never blocks, and nothing is read of a FIFO, a device, a socket or a directory, nor of a file that goes on
 * beyond `limit`, whatever its size is said to be.
 * @throws OciError `ERR_FILE_SYSTEM` it is no regular file, or not the caller's own; `ERR_LIMIT_EXCEEDED`; system errors
 *   of open(2) and read(2), ENXIO for a FIFO that nobody writes to and for a socket
 */
export function readFile(path: string, options: ReadFileOptions): Buffer {
  const { noFollow = false, anyKind = false } = options
  const flags = (anyKind ? 0 : constants.O_NONBLOCK) | (noFollow ? constants.O_NOFOLLOW : 0)
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOCTTY | flags)
  try {
    const stat = fstatSync(fd)
    check(path, stat, options)
    return readAll(fd, path, stat.isFile() ? stat.size : 0, options.limit)
  } finally {
    closeSync(fd)
  }
}

function check(path: string, stat: Stats, { anyKind, ownOnly, limit }: ReadFileOptions): void {
  if (!anyKind && !stat.isFile()) throw new OciError('ERR_FILE_SYSTEM', `"${path}" is ${kindOf(stat)}, no regular file`)
  if (stat.isFile() && stat.size > limit) throw tooLarge(path, limit)
  if (ownOnly && (stat.uid !== process.geteuid?.() || (stat.mode & 0o022) !== 0)) {
    throw new OciError('ERR_FILE_SYSTEM', `others than the caller could have written "${path}"`)
  }
}

/** A file of procfs has size 0, and any file may grow meanwhile. */
function readAll(fd: number, path: string, size: number, limit: number): Buffer {
  let bytes = Buffer.allocUnsafe(Math.min(Math.max(size + 1, 16_384), limit + 1))
  for (let used = 0; ; ) {
    const count = readSync(fd, bytes, used, bytes.length - used, null)
    used += count
    if (count === 0 || (size > 0 && used === size)) return bytes.subarray(0, used)
    if (used > limit) throw tooLarge(path, limit)
    if (used === bytes.length) bytes = Buffer.concat([bytes], Math.min(2 * bytes.length, limit + 1))
  }
}

const tooLarge = (path: string, limit: number): OciError =>
  new OciError('ERR_LIMIT_EXCEEDED', `"${path}" is larger than ${limit} bytes`)

function kindOf(stat: Stats): string {
  if (stat.isDirectory()) return 'a directory'
  if (stat.isFIFO()) return 'a FIFO'
  if (stat.isSocket()) return 'a socket'
  return 'a device'
}
