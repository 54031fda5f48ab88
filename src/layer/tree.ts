import { OciError } from '../errors.ts'
import { maxSymlinks } from './entry-path.ts'
import type { Timestamp } from './tar/pax.ts'
import { shown } from './tar/reader.ts'

/**
 * A directory in the applier's picture of the rootfs under construction.
 *
 * No other process changes the directory while it is built, so the picture is exact, and every path is resolved in it:
 * links are followed here and never by the kernel. Names are bytes, one character (U+0000 to U+00FF) each.
 */
export interface Directory {
  readonly kind: 'directory'
  readonly parent: Directory | undefined
  /** Relative to the rootfs, without links; '' is the root. */
  readonly path: string
  readonly depth: number
  readonly children: Map<string, Node>
  /** The last layer that has an entry for the directory or for anything beneath it. */
  layer: number
  metadata: Metadata
}

/** Any file that is not a directory. */
export interface Leaf {
  readonly kind: 'leaf'
  /** The layer whose entry created this name. */
  readonly layer: number
  /** The target of a symlink; undefined for other files. */
  readonly target: string | undefined
  /** The attributes still to be set; undefined, for most files, when there are none. Hard links share the object. */
  readonly inode: Inode | undefined
}

export type Node = Directory | Leaf

/**
 * Attributes of a directory, applied when the rootfs is finished: a read-only directory can be filled, and its time
 * stays.
 */
export interface Metadata {
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly mtime: Timestamp
  readonly xattrs: ReadonlyMap<string, string> | undefined
}

/**
 * Attributes of a file that Node.js cannot set, kept until the rootfs is finished and it is certain which files stay.
 */
export interface Inode {
  readonly mtime: Timestamp | undefined
  readonly xattrs: ReadonlyMap<string, string> | undefined
  /** The final mode where it forbids the caller to set the attributes first. */
  readonly mode: number | undefined
  /** A device or FIFO that does not exist on disk yet. */
  readonly special: Special | undefined
}

export interface Special {
  /** File type and permission bits. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly major: number
  readonly minor: number
}

/** Attributes of directories that no layer has an entry for: readable by all, and the same in every build. */
export const impliedMetadata: Metadata = {
  mode: 0o755,
  uid: 0,
  gid: 0,
  mtime: { seconds: 0, nanoseconds: 0 },
  xattrs: undefined,
}

export function createRoot(): Directory {
  return {
    kind: 'directory',
    parent: undefined,
    path: '',
    depth: 0,
    children: new Map(),
    layer: -1,
    metadata: impliedMetadata,
  }
}

export const childPath = (directory: Directory, name: string): string =>
  directory.path === '' ? name : `${directory.path}/${name}`

/** Records that a layer has an entry in `directory`: whiteouts of that layer spare it and what is above it. */
export function touch(directory: Directory, layer: number): void {
  for (let at: Directory | undefined = directory; at !== undefined && at.layer !== layer; at = at.parent) {
    at.layer = layer
  }
}

export interface Walk {
  /** Returns the directory for a component that is missing or no directory, or undefined to end the walk. */
  readonly enter: (parent: Directory, name: string, found: Leaf | undefined) => Directory | undefined
  /** Returns true when a symlink is to be followed; otherwise it counts as no directory. Default: true for all. */
  readonly follows?: (link: Leaf) => boolean
}

/** Follows `components` from the root, through symlinks, never above the root. */
export function walk(
  root: Directory,
  components: readonly string[],
  { enter, follows = () => true }: Walk,
): Directory | undefined {
  let at = root
  let links = 0
  // The fast path: no link among the components, nothing to allocate.
  let rest: string[] | undefined
  for (let i = 0; rest === undefined ? i < components.length : rest.length > 0; i += 1) {
    const name: string = (rest === undefined ? components[i] : rest.pop()) ?? ''
    if (name === '' || name === '.') continue
    if (name === '..') {
      at = at.parent ?? root
      continue
    }
    const found = at.children.get(name)
    if (found?.kind === 'directory') {
      at = found
      continue
    }
    if (found?.target !== undefined && follows(found)) {
      links += 1
      if (links > maxSymlinks) throw tooManyLinks(components)
      rest ??= components.slice(i + 1).reverse()
      if (found.target.startsWith('/')) at = root
      rest.push(...found.target.split('/').reverse())
      continue
    }
    const entered = enter(at, name, found)
    if (entered === undefined) return undefined
    at = entered
  }
  return at
}

const tooManyLinks = (components: readonly string[]): OciError =>
  new OciError(
    'ERR_LAYER_INVALID',
    `path ${shown(components.join('/'))} leads through more than ${maxSymlinks} symlinks`,
  )
