import type { BigIntStats } from 'node:fs'
import { OciError } from '../errors.ts'
import { ownerXattr, parseOwnerRecord } from './owner-record.ts'
import { shown, type TarEntryKind } from './tar/reader.ts'
import type { TarWriterEntry } from './tar/writer.ts'
import type { TreeReader } from './tree-reader.ts'
import { isLeftOut } from './xattrs.ts'

/** One file of a tree on disk, as an archive would hold it. */
export interface TreeFile extends TarWriterEntry {
  readonly kind: Exclude<TarEntryKind, 'hardlink'>
  /** Identifies names that are hard links to one file; undefined for directories and files with one name. */
  readonly inode: string | undefined
}

/**
 * Reads the extended attributes of each path, relative to the root, without following links. Node.js has no call for
 * this.
 */
export type ReadXattrs = (paths: readonly Uint8Array[]) => Promise<readonly ReadonlyMap<string, string>[]>

export interface ScanOptions {
  readonly readXattrs: ReadXattrs
  /** Called about each file that an archive cannot hold and that is left out. */
  readonly warn: (message: string) => void
  /**
   * The unprivileged user whose files are recorded as root's; a file of any other user is an error. Default: owners are
   * recorded as they are.
   */
  readonly self?: { readonly uid: number; readonly gid: number } | undefined
}

/** Deeper than any real tree; each level takes an open descriptor. */
const maxDepth = 512

/**
 * Lists all files of a tree, directories before their content and names in byte order; the root is ''.
 * @throws OciError `ERR_PERMISSION` a file belongs to another user than `self`; `ERR_LIMIT_EXCEEDED` the tree is too
 *   deep
 */
export async function scanTree(tree: TreeReader, { readXattrs, warn, self }: ScanOptions): Promise<TreeFile[]> {
  const found: { readonly path: string; readonly kind: TreeFile['kind']; readonly stats: BigIntStats }[] = []

  function visit(path: string, depth: number): void {
    const stats = tree.stat(path)
    if (self !== undefined && Number(stats.uid) !== self.uid) throw foreign(path, stats)
    const kind = kindOf(stats)
    if (kind === undefined) {
      warn(`${shown(path)} is a socket, which no archive can hold; it is left out`)
      return
    }
    found.push({ path, kind, stats })
    if (kind !== 'directory') return
    if (depth > maxDepth)
      throw new OciError('ERR_LIMIT_EXCEEDED', `${shown(path)} is more than ${maxDepth} directories deep`)
    for (const name of tree.list(path)) visit(path === '' ? name : `${path}/${name}`, depth + 1)
  }

  visit('', 0)
  const xattrs = await readXattrs(found.map(({ path }) => Buffer.from(path, 'latin1')))
  return found.map((file, index) => describe(tree, file, { xattrs: xattrs[index], self }))
}

/** The error for a file of another user: the user's id in the container is known only in its user namespace. */
const foreign = (path: string, { uid }: BigIntStats): OciError =>
  new OciError('ERR_PERMISSION', `${path === '' ? 'the rootfs' : shown(path)} belongs to another user, ${uid}`, {
    hint: 'if that is one of your subordinate ids, run the command with "bundle-tool unshare"',
  })

function describe(
  tree: TreeReader,
  { path, kind, stats }: { readonly path: string; readonly kind: TreeFile['kind']; readonly stats: BigIntStats },
  { xattrs = new Map(), self }: { xattrs: ReadonlyMap<string, string> | undefined; self: ScanOptions['self'] },
): TreeFile {
  const kept = [...xattrs].filter(([name]) => !isLeftOut(name) && !(self !== undefined && name === ownerXattr))
  const record = self === undefined ? undefined : xattrs.get(ownerXattr)
  const owner = record === undefined ? undefined : parseOwnerRecord(Buffer.from(record, 'latin1'))
  const uid = Number(stats.uid)
  const gid = Number(stats.gid)
  return {
    kind,
    path,
    linkPath: kind === 'symlink' ? tree.readLink(path) : '',
    mode: Number(stats.mode) & 0o7777,
    uid: owner?.uid ?? (self === undefined ? uid : 0),
    gid: owner?.gid ?? (gid === self?.gid ? 0 : gid),
    size: kind === 'file' ? Number(stats.size) : 0,
    mtime: timestampOf(stats.mtimeNs),
    ...(kind === 'character' || kind === 'block' ? deviceOf(stats.rdev) : { major: 0, minor: 0 }),
    xattrs: kept.length === 0 ? undefined : new Map(kept),
    inode: kind !== 'directory' && stats.nlink > 1n ? `${stats.dev}:${stats.ino}` : undefined,
  }
}

function kindOf(stats: BigIntStats): TreeFile['kind'] | undefined {
  if (stats.isFile()) return 'file'
  if (stats.isDirectory()) return 'directory'
  if (stats.isSymbolicLink()) return 'symlink'
  if (stats.isCharacterDevice()) return 'character'
  if (stats.isBlockDevice()) return 'block'
  return stats.isFIFO() ? 'fifo' : undefined
}

function timestampOf(nanoseconds: bigint): TarWriterEntry['mtime'] {
  const rest = ((nanoseconds % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n
  return { seconds: Number((nanoseconds - rest) / 1_000_000_000n), nanoseconds: Number(rest) }
}

/** Device numbers, decoded as by glibc's gnu_dev_major() and gnu_dev_minor(). */
const deviceOf = (rdev: bigint): { major: number; minor: number } => ({
  major: Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & ~0xfffn)),
  minor: Number((rdev & 0xffn) | ((rdev >> 12n) & ~0xffn & 0xffff_ffffn)),
})
