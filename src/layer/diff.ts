import { OciError } from '../errors.ts'
import type { TreeFile } from './scan.ts'
import { shown } from './tar/reader.ts'

/** The changes that a layer must hold to turn one tree into another. */
export interface TreeChanges {
  /**
   * Whiteouts of files that are gone, as `dir/.wh.name`; a directory that is gone has one, and its content has none.
   */
  readonly whiteouts: readonly string[]
  /** Files that are new or different, in the order of the tree. */
  readonly files: readonly TreeFile[]
}

/**
 * The changes from `base` to `changed`, both as `scanTree` returns them.
 *
 * When a file with several names has changed, or its set of names has, all its names are listed: containerd rejects a
 * hard link to a file of a lower layer.
 * @param isSameData returns true when a regular file, of the same size in both trees, has the same data
 * @throws OciError `ERR_NOT_SUPPORTED` a file whose name would be a whiteout
 * @see image-spec v1.1.1 layer.md "Creating"
 */
export function diffTrees(
  base: readonly TreeFile[],
  changed: readonly TreeFile[],
  isSameData: (path: string) => boolean,
): TreeChanges {
  const before = new Map(base.map((file) => [file.path, file]))
  const after = new Map(changed.map((file) => [file.path, file]))
  const namesBefore = namesOfInodes(base)
  const namesAfter = namesOfInodes(changed)

  function isDifferent(file: TreeFile): boolean {
    const old = before.get(file.path)
    if (old === undefined || !hasSameMetadata(old, file)) return true
    if (namesBefore.get(file.path)?.join('\0') !== namesAfter.get(file.path)?.join('\0')) return true
    return file.kind === 'file' && !isSameData(file.path)
  }

  const different = new Set<string>()
  for (const file of changed) {
    if (different.has(file.path) || !isDifferent(file)) continue
    refuseWhiteoutName(file.path)
    for (const name of namesAfter.get(file.path) ?? [file.path]) different.add(name)
  }
  const isGone = ({ path }: TreeFile): boolean => !after.has(path) && after.get(parentOf(path))?.kind === 'directory'
  return {
    whiteouts: base.filter(isGone).map(({ path }) => whiteoutOf(path)),
    files: changed.filter(({ path }) => different.has(path)),
  }
}

/** All names of a file, keyed by each of them, for files with more than one name. */
function namesOfInodes(files: readonly TreeFile[]): ReadonlyMap<string, readonly string[]> {
  const names = new Map<string, string[]>()
  for (const { inode, path } of files) if (inode !== undefined) names.set(inode, [...(names.get(inode) ?? []), path])
  return new Map([...names.values()].filter((all) => all.length > 1).flatMap((all) => all.map((name) => [name, all])))
}

function hasSameMetadata(a: TreeFile, b: TreeFile): boolean {
  return (
    a.kind === b.kind &&
    a.linkPath === b.linkPath &&
    a.mode === b.mode &&
    a.uid === b.uid &&
    a.gid === b.gid &&
    a.size === b.size &&
    a.mtime.seconds === b.mtime.seconds &&
    a.mtime.nanoseconds === b.mtime.nanoseconds &&
    a.major === b.major &&
    a.minor === b.minor &&
    hasSameXattrs(a, b)
  )
}

function hasSameXattrs({ xattrs: a = new Map() }: TreeFile, { xattrs: b = new Map() }: TreeFile): boolean {
  return a.size === b.size && [...a].every(([name, value]) => b.get(name) === value)
}

const parentOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')))

const whiteoutOf = (path: string): string => path.replace(/[^/]*$/, (name) => `.wh.${name}`)

function refuseWhiteoutName(path: string): void {
  if (!/(?:^|\/)\.wh\.[^/]*$/.test(path)) return
  throw new OciError(
    'ERR_NOT_SUPPORTED',
    `a layer cannot hold ${shown(path)}: its name marks a removed file (a whiteout)`,
    {
      hint: 'rename or remove the file',
    },
  )
}
