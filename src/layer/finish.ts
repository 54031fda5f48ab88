import { chmodSync, linkSync, utimesSync } from 'node:fs'
import { isSystemError } from '../errors.ts'
import type { ApplyNodeOps, NodeOp } from '../program/node-op.ts'
import { diskPath, giveOwnerAt, type Site } from './site.ts'
import type { Timestamp } from './tar/pax.ts'
import { childPath, type Directory, type Inode } from './tree.ts'

/** Operations passed to `applyNodeOps` at a time. */
const batchSize = 4096

/**
 * Completes a rootfs: the operations that Node.js has no call for, then times, owners and modes of directories.
 *
 * Directories come last, children before parents, so that no step changes a time that is already set, and no step needs
 * a path through a directory whose final mode may forbid it.
 */
export async function finishTree(site: Site, applyNodeOps: ApplyNodeOps): Promise<void> {
  const { directories, nodes, xattrs, times, modes, links } = collect(site)
  await inBatches(nodes, applyNodeOps)
  for (const { from, to } of links) linkSync(diskPath(site, from), diskPath(site, to))
  await setXattrs(site, xattrs, applyNodeOps)
  for (const { path, mode } of modes) chmodSync(diskPath(site, path), mode)
  for (const { path, metadata } of directories) {
    const { mtime } = metadata
    if (isWhole(mtime)) utimesSync(diskPath(site, path), mtime.seconds, mtime.seconds)
    else times.push(utimens(path, mtime))
  }
  await inBatches(times, applyNodeOps)
  for (const { path, metadata } of directories) {
    const { mode, uid, gid } = metadata
    giveOwnerAt(site, path, { owner: { uid, gid }, place: diskPath(site, path) })
    if (mode !== site.directoryMode) chmodSync(diskPath(site, path), mode)
  }
}

type SetXattr = Extract<NodeOp, { kind: 'setxattr' }>

interface Pending {
  /** Children before their parents. */
  readonly directories: Directory[]
  readonly nodes: NodeOp[]
  readonly xattrs: SetXattr[]
  /** Times that Node.js cannot set exactly, first those of files, then those of directories. */
  readonly times: NodeOp[]
  readonly modes: { readonly path: string; readonly mode: number }[]
  /** Further names of devices and FIFOs, which exist only once the operations have been applied. */
  readonly links: { readonly from: string; readonly to: string }[]
}

function collect(site: Site): Pending {
  const pending: Pending = { directories: [], nodes: [], xattrs: [], times: [], modes: [], links: [] }
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
        collectInode(pending, path, inode)
      } else if (inode.special !== undefined) pending.links.push({ from: first, to: path })
    }
    pending.xattrs.push(...xattrOps(directory.path, directory.metadata.xattrs))
    pending.directories.push(directory)
  }

  visit(site.root)
  return pending
}

function collectInode(pending: Pending, path: string, { special, xattrs, mtime, mode }: Inode): void {
  if (special !== undefined) pending.nodes.push({ kind: 'mknod', path: bytes(path), ...special })
  pending.xattrs.push(...xattrOps(path, xattrs))
  if (mode !== undefined) pending.modes.push({ path, mode })
  if (mtime !== undefined) pending.times.push(utimens(path, mtime))
}

function xattrOps(path: string, xattrs: ReadonlyMap<string, string> | undefined): SetXattr[] {
  return [...(xattrs ?? [])].map(([name, value]) => ({
    kind: 'setxattr',
    path: placeOf(path),
    name: bytes(name).toString(),
    value: bytes(value),
  }))
}

/**
 * Sets extended attributes. A file system supports a namespace (`user.` ...) as a whole or not at all, so the first
 * attribute of a namespace shows whether to set the others.
 */
async function setXattrs(site: Site, ops: readonly SetXattr[], applyNodeOps: ApplyNodeOps): Promise<void> {
  for (const [namespace, group] of byNamespace(ops)) {
    try {
      await applyNodeOps(group.slice(0, 1))
    } catch (error) {
      const cause = error instanceof Error ? error.cause : undefined
      if (!isSystemError(cause, 'EOPNOTSUPP', 'ENOTSUP', 'EPERM')) throw error
      const reason = cause.code === 'EPERM' ? 'setting them is not permitted' : 'the file system does not support them'
      site.warn(`extended attributes "${namespace}.*" are left out: ${reason}`)
      continue
    }
    await inBatches(group.slice(1), applyNodeOps)
  }
}

function byNamespace(ops: readonly SetXattr[]): ReadonlyMap<string, readonly SetXattr[]> {
  const groups = new Map<string, SetXattr[]>()
  for (const op of ops) {
    const namespace = op.name.replace(/\..*/s, '')
    const group = groups.get(namespace)
    if (group === undefined) groups.set(namespace, [op])
    else group.push(op)
  }
  return groups
}

const utimens = (path: string, { seconds, nanoseconds }: Timestamp): NodeOp => ({
  kind: 'utimens',
  path: placeOf(path),
  seconds: BigInt(seconds),
  nanoseconds,
})

/** A path for an operation, where '.' is the root. */
const placeOf = (path: string): Buffer => bytes(path === '' ? '.' : path)

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1')

/** True when Node.js, whose times are floating-point seconds, can set this time exactly. */
export const isWhole = (time: Timestamp): boolean => time.nanoseconds === 0 && time.seconds >= 0

async function inBatches(ops: readonly NodeOp[], applyNodeOps: ApplyNodeOps): Promise<void> {
  for (let at = 0; at < ops.length; at += batchSize) await applyNodeOps(ops.slice(at, at + batchSize))
}
