import { statfsSync } from 'node:fs'
import { OciError } from '../errors.ts'
import { shown, type TarEntry } from './tar/reader.ts'

/** How much the layers of one image may ask for: a blob of a few megabytes can hold a disk full of zeros. */
export interface UnpackLimits {
  /** Bytes of the regular files of all layers together, holes included; default: what the file system takes. */
  readonly maxUnpackedSize?: number | undefined
  /** Entries of all layers together, and the directories that no entry made; default 2,000,000. */
  readonly maxFiles?: number | undefined
  /** Uncompressed bytes for each compressed byte of a layer, past its first GiB; default 250. */
  readonly maxRatio?: number | undefined
}

/** Each node of the picture of the tree is some 100 bytes of memory. */
const defaultMaxFiles = 2_000_000
/** gzip reaches 1032, with zeros alone; layers of real images stay below 20. */
const defaultMaxRatio = 250
/** Uncompressed bytes that no layer needs to justify by its size: zeros reserved for a database, for instance. */
const ratioAllowanceBytes = 1024 ** 3
/** A file from this size on is compared with the free space before it is written. */
const largeFileBytes = 64 * 1024 ** 2

/** What is left of the limits of one rootfs. */
export interface Budget {
  /** Counts one more file, directory or link. */
  file(): void
  /** Counts the data of a regular file, before any of it is written. */
  data(entry: TarEntry): void
}

/**
 * Counts down from `limits`.
 * @param directory on the file system that everything is written to
 * @throws OciError `ERR_LIMIT_EXCEEDED` from its functions, `ERR_FILE_SYSTEM` for a file that does not fit
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

/** Checks how far a layer has grown. @throws OciError `ERR_LIMIT_EXCEEDED` */
export function checkRatio(compressed: number, uncompressed: number, limits: UnpackLimits = {}): void {
  const maxRatio = limits.maxRatio ?? defaultMaxRatio
  if (uncompressed <= ratioAllowanceBytes + compressed * maxRatio) return
  throw exceeded(`${uncompressed} bytes compressed to ${compressed}: more than ${maxRatio} to 1`, '--max-ratio')
}

/**
 * Finds out before the work what its end would show.
 * @param what needs `bytes` at least, in the file system of `directory`
 * @throws OciError `ERR_FILE_SYSTEM` fewer bytes are free
 */
export function checkFreeSpace(directory: string, bytes: number, what: string): void {
  const { blocks, bavail, bsize } = statfsSync(directory)
  // A tmpfs without a limit has no blocks.
  if (blocks === 0 || bavail * bsize >= bytes) return
  throw new OciError(
    'ERR_FILE_SYSTEM',
    `${what} needs ${bytes} bytes, and the file system of "${directory}" has ${bavail * bsize} free`,
    { hint: 'free some, or choose a place on another file system' },
  )
}

const exceeded = (what: string, flag: string): OciError =>
  new OciError('ERR_LIMIT_EXCEEDED', what, { hint: `raise the limit with ${flag} if you trust the image` })
