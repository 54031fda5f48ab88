import { lchownSync } from 'node:fs'
import { checkPathLimits } from './entry-path.ts'
import type { Budget } from './limits.ts'
import { giveOwner } from './owner.ts'
import type { Owner } from './owner-record.ts'
import { childPath, type Directory, impliedMetadata, type Node, touch } from './tree.ts'
import type { TreeMaker } from './tree-maker.ts'

/** A rootfs under construction: the directory on disk, and the picture of it in memory. */
export interface Site {
  /** Absolute path of the rootfs with a slash at its end, one character per byte as in the picture. */
  readonly prefix: string
  readonly root: Directory
  /** True when owners, devices and all extended attributes can be set; otherwise they are left out with a warning. */
  readonly isPrivileged: boolean
  /** True when device nodes can be created: never in a user namespace, not even by its root. */
  readonly canMakeDevices: boolean
  /** User and group that new files belong to. */
  readonly uid: number
  readonly gid: number
  /** The mode of directories until the rootfs is finished; for most it is the final one. */
  readonly directoryMode: number
  readonly budget: Budget
  /** Makes and removes all files but the root directory. */
  readonly tree: TreeMaker
  readonly choices: Choices
  /** Reports a deviation from what the layer asks for. */
  warn(message: string): void
}

/** Choices where tools differ; the defaults are those of `umoci unpack`. */
export interface Choices {
  /**
   * True when a lower layer's symlink in place of a parent directory is replaced by a directory, as in a stack of
   * overlay mounts (containerd, Docker); false when the symlink is followed. Default false.
   */
  readonly strictOverlay?: boolean | undefined
  /**
   * True when an entry for a directory keeps a symlink to a directory and applies to the symlink's target; false when
   * the entry replaces the symlink. Default false.
   */
  readonly keepDirlinks?: boolean | undefined
}

/** A path of the picture for file system calls: bytes, or a string where all is ASCII, which is cheaper. */
export function diskPath(site: Site, path: string): string | Buffer {
  const full = site.prefix + path
  return /^[\0-\x7f]*$/.test(full) ? full : Buffer.from(full, 'latin1')
}

/**
 * Makes an empty directory that the caller can write to; its own mode, owner and time are set when the rootfs is
 * finished.
 */
export function makeDirectory(site: Site, parent: Directory, name: string, layer: number): Directory {
  const path = childPath(parent, name)
  const depth = parent.depth + 1
  checkPathLimits(site.prefix + path, name, depth)
  site.budget.file()
  site.tree.makeDirectory(parent, name, site.directoryMode)
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
  if (node.kind === 'directory') site.tree.removeDirectory(parent, name)
  else if (node.inode?.special === undefined) site.tree.unlink(parent, name)
  parent.children.delete(name)
}

/** Removes entries of lower layers beneath `directory`, and keeps those of layer `layer`. */
export function hideChildren(site: Site, directory: Directory, layer: number): void {
  for (const [name, child] of directory.children) hide(site, directory, name, child, layer)
}

/** Removes the parts of `node` that come from lower layers. */
export function hide(site: Site, parent: Directory, name: string, node: Node, layer: number): void {
  if (node.layer !== layer) remove(site, parent, name, node)
  else if (node.kind === 'directory') hideChildren(site, node, layer)
}

/** True when a new file must be given to this owner by chown(2), and can be. */
export const isForeign = (site: Site, { uid, gid }: Owner): boolean =>
  site.isPrivileged && (uid !== site.uid || gid !== site.gid)

/** Sets the owner of the file at `place` where `isForeign` is true. */
export function giveOwnerAt(
  site: Site,
  name: string,
  { owner, place }: { owner: Owner; place: string | Buffer },
): void {
  if (isForeign(site, owner)) giveOwner(name, owner, () => lchownSync(place, owner.uid, owner.gid))
}
