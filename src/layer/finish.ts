import { chmodSync, lchownSync, linkSync, utimesSync } from 'node:fs'
import type { ApplyNodeOps, NodeOp } from './node-op.ts'
import { diskPath, type Site } from './site.ts'
import type { Timestamp } from './tar-pax.ts'
import { childPath, type Directory, type Inode } from './tree.ts'

/** Steps handed over at a time. */
const batchSize = 4096

/**
 * Completes a rootfs: what Node.js cannot do, then times, owners and modes of directories.
 *
 * Directories come last and from the leaves up, so that nothing changes a time once it is set, and nothing is looked for
 * in a directory whose own mode may forbid it.
 */
export async function finishTree(site: Site, applyNodeOps: ApplyNodeOps): Promise<void> {
  const { directories, ops, links } = collect(site)
  await inBatches(ops, applyNodeOps)
  for (const { from, to } of links) linkSync(diskPath(site, from), diskPath(site, to))
  const times: NodeOp[] = []
  for (const { path, metadata } of directories) {
    const { mtime } = metadata
    if (isWhole(mtime)) utimesSync(diskPath(site, path), mtime.seconds, mtime.seconds)
    else times.push(utimens(path, mtime))
  }
  await inBatches(times, applyNodeOps)
  for (const { path, metadata } of directories) {
    const { mode, uid, gid } = metadata
    if (site.isPrivileged && (uid !== site.uid || gid !== site.gid)) lchownSync(diskPath(site, path), uid, gid)
    if (mode !== site.directoryMode) chmodSync(diskPath(site, path), mode)
  }
}

interface Pending {
  /** Children before their parents. */
  readonly directories: Directory[]
  readonly ops: NodeOp[]
  /** Further names of devices and FIFOs, which come into being only with the ops. */
  readonly links: { readonly from: string; readonly to: string }[]
}

function collect(site: Site): Pending {
  const pending: Pending = { directories: [], ops: [], links: [] }
  const seen = new Map<Inode, string>()

  function visit(directory: Directory): void {
    for (const [name, child] of directory.children) {
      if (child.kind === 'directory') {
        visit(child)
        continue
      }
      const { inode } = child
      if (inode === undefined) continue
      const path = childPath(directory, name)
      const first = seen.get(inode)
      if (first === undefined) {
        seen.set(inode, path)
        pushOps(pending.ops, path, inode)
      } else if (inode.special !== undefined) pending.links.push({ from: first, to: path })
    }
    for (const op of xattrOps(directory.path, directory.metadata.xattrs)) pending.ops.push(op)
    pending.directories.push(directory)
  }

  visit(site.root)
  return pending
}

function pushOps(ops: NodeOp[], path: string, { special, xattrs, mtime }: Inode): void {
  if (special !== undefined) ops.push({ kind: 'mknod', path: bytes(path), ...special })
  for (const op of xattrOps(path, xattrs)) ops.push(op)
  if (mtime !== undefined) ops.push(utimens(path, mtime))
}

function xattrOps(path: string, xattrs: ReadonlyMap<string, string> | undefined): NodeOp[] {
  return [...(xattrs ?? [])].map(([name, value]) => ({
    kind: 'setxattr',
    path: bytes(path),
    name: bytes(name).toString(),
    value: bytes(value),
  }))
}

const utimens = (path: string, { seconds, nanoseconds }: Timestamp): NodeOp => ({
  kind: 'utimens',
  path: bytes(path),
  seconds: BigInt(seconds),
  nanoseconds,
})

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1')

/** Whether Node.js, whose times are floating-point seconds, sets this one exactly. */
export const isWhole = (time: Timestamp): boolean => time.nanoseconds === 0 && time.seconds >= 0

async function inBatches(ops: readonly NodeOp[], applyNodeOps: ApplyNodeOps): Promise<void> {
  for (let at = 0; at < ops.length; at += batchSize) await applyNodeOps(ops.slice(at, at + batchSize))
}
