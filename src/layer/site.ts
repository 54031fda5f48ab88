import { lchownSync, mkdirSync, rmdirSync, unlinkSync } from 'node:fs'
import { checkPathLimits } from './entry-path.ts'
import type { FileQueue } from './file-queue.ts'
import type { Budget } from './limits.ts'
import { giveOwner } from './owner.ts'
import type { Owner } from './owner-record.ts'
import { childPath, type Directory, impliedMetadata, type Node, touch } from './tree.ts'

/** A rootfs under construction: the directory on disk, and the picture of it that is kept in step. */
export interface Site {
  /** Absolute path of the rootfs with a slash at its end; bytes, as in the picture. */
  readonly prefix: string
  readonly root: Directory
  /** Whether owners, devices and all extended attributes can be given; else they are left out with a warning. */
  readonly isPrivileged: boolean
  /** Whether device nodes can be made: not in a user namespace, not even by its root. */
  readonly canMakeDevices: boolean
  /** Owner and group that new files get by themselves. */
  readonly uid: number
  readonly gid: number
  /** Mode bits that new files do not get by themselves. */
  readonly umask: number
  /** The mode that directories have until the rootfs is finished: as in the end, for most. */
  readonly directoryMode: number
  readonly budget: Budget
  /** Where files may be written rather than here. */
  readonly queue: FileQueue | undefined
  readonly choices: Choices
  /** Says what is done differently from what the layer asks for; each text once. */
  warn(message: string): void
}

/** Answers where tools differ; by default those of `umoci unpack`. */
export interface Choices {
  /**
   * Whether a symlink of a lower layer that stands in for a parent directory is hidden by a directory, as it is in a
   * stack of overlay mounts (containerd, Docker), rather than followed. Default false.
   */
  readonly strictOverlay?: boolean | undefined
  /**
   * Whether an entry for a directory leaves a symlink to a directory as it is and counts for where it leads, rather than
   * replace it. Default false.
   */
  readonly keepDirlinks?: boolean | undefined
}

/** A path of the picture as the file system calls take it: bytes, unless ASCII makes the cheaper string the same. */
export function diskPath(site: Site, path: string): string | Buffer {
  const full = site.prefix + path
  return /^[\0-\x7f]*$/.test(full) ? full : Buffer.from(full, 'latin1')
}

/** Makes an empty directory, which the caller can write in; its own mode, owner and time follow at the end. */
export function makeDirectory(site: Site, parent: Directory, name: string, layer: number): Directory {
  const path = childPath(parent, name)
  const depth = parent.depth + 1
  checkPathLimits(site.prefix + path, name, depth)
  site.budget.file()
  mkdirSync(diskPath(site, path), site.directoryMode)
  const directory: Directory = {
    kind: 'directory',
    parent,
    path,
    depth,
    children: new Map(),
    layer,
    metadata: impliedMetadata,
  }
  parent.children.set(name, directory)
  touch(parent, layer)
  return directory
}

/** Removes `node`, whatever it is, with everything beneath it. */
export function remove(site: Site, parent: Directory, name: string, node: Node): void {
  removeFromDisk(site, childPath(parent, name), node)
  parent.children.delete(name)
}

function removeFromDisk(site: Site, path: string, node: Node): void {
  if (node.kind === 'directory') {
    for (const [name, child] of node.children) removeFromDisk(site, `${path}/${name}`, child)
    rmdirSync(diskPath(site, path))
    return
  }
  if (node.inode?.special === undefined) unlinkSync(diskPath(site, path))
}

/** Removes what lower layers left beneath `directory`, and spares what layer `layer` put there. */
export function hideChildren(site: Site, directory: Directory, layer: number): void {
  for (const [name, child] of directory.children) hide(site, directory, name, child, layer)
}

/** Removes `node` as far as it is of lower layers. */
export function hide(site: Site, parent: Directory, name: string, node: Node, layer: number): void {
  if (node.layer !== layer) remove(site, parent, name, node)
  else if (node.kind === 'directory') hideChildren(site, node, layer)
}

/** Whether a new file does not belong to this owner by itself, and can be given to it. */
export const isForeign = (site: Site, { uid, gid }: Owner): boolean =>
  site.isPrivileged && (uid !== site.uid || gid !== site.gid)

/** Gives the file at `place` its owner, unless it has it or can have none. */
export function giveOwnerAt(
  site: Site,
  name: string,
  { owner, place }: { owner: Owner; place: string | Buffer },
): void {
  if (isForeign(site, owner)) giveOwner(name, owner, () => lchownSync(place, owner.uid, owner.gid))
}
