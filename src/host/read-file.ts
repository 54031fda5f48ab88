import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs'
import { OciError } from '../errors.ts'

export interface ReadFileOptions {
  /** The largest size in bytes; a larger file is refused. */
  readonly limit: number
  /** True to refuse a symbolic link at the end of the path, which is followed by default. */
  readonly noFollow?: boolean
  /** True to read also a file that is not regular, which may block: for a path that the caller has given. */
  readonly anyKind?: boolean
  /** True to refuse a file that another user than the caller could have written. */
  readonly ownOnly?: boolean
}

/**
 * Reads a file that may be hostile.
 *
 * Opening never blocks. FIFOs, devices, sockets and directories are not read, nor is a file beyond `limit`, whatever size
 * stat(2) reports.
 * @throws OciError `ERR_FILE_SYSTEM` it is not a regular file, or not the caller's own; `ERR_LIMIT_EXCEEDED`; system errors
 *   of open(2) and read(2), such as ENXIO for a socket
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
  if (!anyKind && !stat.isFile())
    throw new OciError('ERR_FILE_SYSTEM', `"${path}" is ${kindOf(stat)}, not a regular file`)
  if (stat.isFile() && stat.size > limit) throw tooLarge(path, limit)
  if (ownOnly && (stat.uid !== process.geteuid?.() || (stat.mode & 0o022) !== 0)) {
    throw new OciError('ERR_FILE_SYSTEM', `others than the caller could have written "${path}"`)
  }
}

/** Reads to the end of the file: `size` is 0 for one of procfs, and any file may grow meanwhile. */
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
