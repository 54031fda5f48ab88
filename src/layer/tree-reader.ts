import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
} from 'node:fs'
import { OciError } from '../errors.ts'
import { shown } from './tar/reader.ts'

/** `O_PATH` of fcntl.h: a descriptor that names a file without opening it. Node.js does not export it. */
const oPath = 0o10000000

/**
 * Reads a tree that other processes may change meanwhile, links in it included: every directory on the way is opened
 * beneath its parent's descriptor without following links, so the data is always of this tree (CVE-2018-15664).
 *
 * Paths are relative to the root, which is '', and bytes, one character (U+0000 to U+00FF) each.
 */
export interface TreeReader {
  /** Names in a directory, sorted by their bytes. */
  list(path: string): string[]
  stat(path: string): BigIntStats
  readLink(path: string): string
  /**
   * Opens a regular file; the caller closes the descriptor.
   * @throws OciError `ERR_BUNDLE_INVALID` the path is something else
   */
  open(path: string): number
  close(): void
}

interface OpenDirectory {
  readonly path: string
  readonly descriptor: number
}

/** Opens the tree at `root`, whose own path is trusted. */
export function openTree(root: string): TreeReader {
  // The open directories from the root to the one used last; neighbours in a walk share most of them.
  const trail: OpenDirectory[] = [{ path: '', descriptor: openSync(root, oPath | constants.O_DIRECTORY) }]

  function enter(directory: string): number {
    while (!isWithin(directory, trail.at(-1)?.path ?? '')) closeSync(trail.pop()?.descriptor ?? -1)
    let { path, descriptor } = trail.at(-1) ?? missing()
    while (path !== directory) {
      const start = path === '' ? 0 : path.length + 1
      const slash = directory.indexOf('/', start)
      const next = slash === -1 ? directory : directory.slice(0, slash)
      const flags = oPath | constants.O_DIRECTORY | constants.O_NOFOLLOW
      descriptor = openSync(placeIn(descriptor, next.slice(start)), flags)
      path = next
      trail.push({ path, descriptor })
    }
    return descriptor
  }

  function place(path: string): Buffer {
    if (path === '') return placeIn(enter(''), '.')
    const slash = path.lastIndexOf('/')
    return placeIn(enter(slash === -1 ? '' : path.slice(0, slash)), path.slice(slash + 1))
  }

  return {
    list: (path) => readdirSync(placeIn(enter(path), '.'), { encoding: 'latin1' }).sort(),
    stat: (path) => lstatSync(place(path), { bigint: true }),
    readLink: (path) => readlinkSync(place(path), { encoding: 'latin1' }),
    open(path) {
      const descriptor = openSync(place(path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
      if (fstatSync(descriptor).isFile()) return descriptor
      closeSync(descriptor)
      throw new OciError('ERR_BUNDLE_INVALID', `${shown(path)} is no regular file any more`)
    },
    close() {
      for (const { descriptor } of trail.splice(0)) closeSync(descriptor)
    },
  }
}

const isWithin = (path: string, directory: string): boolean =>
  directory === '' || path === directory || path.startsWith(`${directory}/`)

const placeIn = (descriptor: number, name: string): Buffer =>
  Buffer.from(`/proc/self/fd/${descriptor}/${name}`, 'latin1')

function missing(): never {
  throw new Error('the tree is closed')
}
