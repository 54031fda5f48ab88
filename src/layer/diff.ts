import { OciError } from '../errors.ts'
import type { TreeFile } from './scan.ts'
import { shown } from './tar/reader.ts'

/** What a layer has to say to turn one tree into another. */
export interface TreeChanges {
  /** Entries that remove what is gone, as `dir/.wh.name`; of a directory that is gone, for itself alone. */
  readonly whiteouts: readonly string[]
  /** Files that are new or different, in the order of the tree. */
  readonly files: readonly TreeFile[]
}

/**
 * The changes from `base` to `changed`, both as `scanTree` has them.
 *
 * Of files with several names that differ in any way, or in their names, all are given: a hard link to a file of a lower
 * layer is an error to containerd.
 * @param isSameData whether a regular file that is in both trees, of the same size, has the same data
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

/** For each name of a file that has several, all of them. */
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
  throw new OciError('ERR_NOT_SUPPORTED', `no layer can hold ${shown(path)}: the name says that a file is removed`, {
    hint: 'rename or remove it',
  })
}
