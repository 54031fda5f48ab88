import { statfsSync } from 'node:fs'
import { OciError } from '../errors.ts'
import { shown, type TarEntry } from './tar/reader.ts'

/** Limits for the layers of one image: a blob of a few megabytes can hold a disk full of zeros. */
export interface UnpackLimits {
  /** Bytes of the regular files of all layers together, holes included; default: unlimited. */
  readonly maxUnpackedSize?: number | undefined
  /** Entries of all layers together, plus directories created without an entry; default 2,000,000. */
  readonly maxFiles?: number | undefined
  /** Uncompressed bytes for each compressed byte of a layer, past its first GiB; default 250. */
  readonly maxRatio?: number | undefined
}

/** Each node of the picture of the tree takes about 100 bytes of memory. */
const defaultMaxFiles = 2_000_000
/** gzip reaches 1032, for zeros only; layers of real images stay below 20. */
const defaultMaxRatio = 250
/**
 * Uncompressed bytes that any layer may have, whatever its compressed size: zeros reserved for a database, for
 * instance.
 */
const ratioAllowanceBytes = 1024 ** 3
/** The free space is checked before a file of this size or larger is written. */
const largeFileBytes = 64 * 1024 ** 2

/** The part of the limits that one rootfs has not used yet. */
export interface Budget {
  /** Counts one more file, directory or link. */
  file(): void
  /** Counts the data of a regular file, before any of it is written. */
  data(entry: TarEntry): void
}

/**
 * A budget with the whole of `limits`. Its functions throw OciError `ERR_LIMIT_EXCEEDED`, or `ERR_FILE_SYSTEM` for a
 * file that does not fit.
 * @param directory a directory in the file system that is written to
 */
export function createBudget(directory: string, limits: UnpackLimits): Budget {
  const maxSize = limits.maxUnpackedSize ?? Number.POSITIVE_INFINITY
  const maxFiles = limits.maxFiles ?? defaultMaxFiles
  let size = 0
  let files = 0

  return {
    file() {
      files += 1
      if (files > maxFiles) throw exceeded(`more than ${maxFiles} files`, '--max-files')
    },
    data(entry) {
      size += entry.size
      if (size > maxSize) {
        throw exceeded(`more than ${maxSize} bytes of files, with ${shown(entry.path)}`, '--max-unpacked-size')
      }
      if (entry.size >= largeFileBytes && entry.sparse === undefined) {
        checkFreeSpace(directory, entry.size, `entry ${shown(entry.path)}`)
      }
    },
  }
}

/** Checks the compression ratio of a layer so far. @throws OciError `ERR_LIMIT_EXCEEDED` */
export function checkRatio(compressed: number, uncompressed: number, limits: UnpackLimits = {}): void {
  const maxRatio = limits.maxRatio ?? defaultMaxRatio
  if (uncompressed <= ratioAllowanceBytes + compressed * maxRatio) return
  throw exceeded(`${uncompressed} bytes compressed to ${compressed}: more than ${maxRatio} to 1`, '--max-ratio')
}

/**
 * Checks free space before the work, which would otherwise fail at its end.
 * @param what the thing that needs `bytes` bytes or more in the file system of `directory`, for the message
 * @throws OciError `ERR_FILE_SYSTEM` fewer bytes are free
 */
export function checkFreeSpace(directory: string, bytes: number, what: string): void {
  const { blocks, bavail, bsize } = statfsSync(directory)
  // A tmpfs without a limit has no blocks.
  if (blocks === 0 || bavail * bsize >= bytes) return
  throw new OciError(
    'ERR_FILE_SYSTEM',
    `${what} needs ${bytes} bytes, and the file system of "${directory}" has ${bavail * bsize} free`,
    { hint: 'free some space, or choose a directory on another file system' },
  )
}

const exceeded = (what: string, flag: string): OciError =>
  new OciError('ERR_LIMIT_EXCEEDED', what, { hint: `raise the limit with ${flag} if you trust the image` })
