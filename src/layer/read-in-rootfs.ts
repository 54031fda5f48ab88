import { closeSync, constants, fstatSync, openSync, readlinkSync, readSync, type Stats } from 'node:fs'
import { isSystemError, OciError } from '../errors.ts'
import { maxSymlinks } from './entry-path.ts'

/** `O_PATH` of fcntl.h: a descriptor that names a file without opening it. Node.js does not export it. */
const oPath = 0o10000000

/**
 * Reads a regular file of a finished rootfs, which may be hostile and may change while it is read.
 *
 * Every component is opened beneath the descriptor of its parent without following links. Links are resolved here, with
 * absolute targets and `..` confined to `rootfs` as by chroot(2), so the bytes always come from inside the rootfs.
 * @param rootfs the root directory; its own path is trusted
 * @param path a path as a process in the container would write it: `/etc/passwd`
 * @param maxBytes the largest file accepted
 * @returns the whole file, or undefined when it or a directory on the way does not exist
 * @throws OciError `ERR_BUNDLE_INVALID` the path is a directory, FIFO, device or socket, or its links form a loop
 * @throws OciError `ERR_LIMIT_EXCEEDED` the file is longer than `maxBytes`
 */
export function readInRootfs(rootfs: string, path: string, maxBytes: number): Uint8Array | undefined {
  const descriptors: number[] = []
  try {
    const found = resolve(openSync(rootfs, oPath | constants.O_DIRECTORY), path, descriptors)
    if (found === undefined) return undefined
    const kind = kindOf(fstatSync(found))
    if (kind !== 'regular file') throw invalid(path, `is a ${kind}, not a regular file`)
    const file = openSync(`/proc/self/fd/${found}`, constants.O_RDONLY | constants.O_NONBLOCK)
    descriptors.push(file)
    return readWhole(file, path, maxBytes)
  } finally {
    for (const descriptor of descriptors) closeSync(descriptor)
  }
}

/**
 * Resolves `path` from `root` to a descriptor, or to undefined when it does not exist. Every descriptor that is opened,
 * `root` included, is added to `opened` for the caller to close.
 */
function resolve(root: number, path: string, opened: number[]): number | undefined {
  opened.push(root)
  const rest = path.split('/').reverse()
  const trail = [root]
  let links = 0
  for (let name = rest.pop(); name !== undefined; name = rest.pop()) {
    if (name === '' || name === '.') continue
    if (name === '..') {
      if (trail.length > 1) trail.pop()
      continue
    }
    const place = `/proc/self/fd/${trail.at(-1)}/${name}`
    const next = ifThere(() => openSync(place, oPath | constants.O_NOFOLLOW))
    if (next === undefined) return undefined
    opened.push(next)
    if (!fstatSync(next).isSymbolicLink()) {
      trail.push(next)
      continue
    }
    links += 1
    if (links > maxSymlinks) throw invalid(path, `leads through more than ${maxSymlinks} symbolic links`)
    const target = ifThere(() => readlinkSync(place))
    if (target === undefined) return undefined
    if (target.startsWith('/')) trail.length = 1
    rest.push(...target.split('/').reverse())
  }
  return trail.at(-1)
}

function ifThere<T>(look: () => T): T | undefined {
  try {
    return look()
  } catch (error) {
    // EINVAL: the link was replaced by something else between the two calls.
    if (isSystemError(error, 'ENOENT', 'ENOTDIR', 'EINVAL')) return undefined
    throw error
  }
}

function readWhole(file: number, path: string, maxBytes: number): Uint8Array {
  const size = fstatSync(file).size
  if (size > maxBytes) throw tooLong(path, maxBytes)
  const buffer = Buffer.allocUnsafe(size + 1)
  let length = 0
  while (length < buffer.length) {
    const read = readSync(file, buffer, length, buffer.length - length, null)
    if (read === 0) return buffer.subarray(0, length)
    length += read
  }
  throw invalid(path, 'grew while it was read')
}

function kindOf(stats: Stats): string {
  if (stats.isFile()) return 'regular file'
  if (stats.isDirectory()) return 'directory'
  if (stats.isFIFO()) return 'FIFO'
  if (stats.isSocket()) return 'socket'
  return 'device'
}

const invalid = (path: string, what: string): OciError =>
  new OciError('ERR_BUNDLE_INVALID', `"${path}" in the rootfs ${what}`)

const tooLong = (path: string, maxBytes: number): OciError =>
  new OciError('ERR_LIMIT_EXCEEDED', `"${path}" in the rootfs is longer than ${maxBytes} bytes`)
