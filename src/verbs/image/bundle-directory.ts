import { lstatSync, readdirSync, readFileSync, renameSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { isSystemError, OciError, reworded } from '../../errors.ts'
import { checkRemovable, removeTree } from '../../layer/remove-tree.ts'
import { makeDirectories } from '../../make-directories.ts'
import { isOwnerAlive, ownerOf } from '../../store/owner.ts'
import { checkWritable, whyNot } from '../../writable.ts'
import { displaced, makePrivateDirectory, type PrivateDirectory } from './private-directory.ts'

export interface BundleDirectoryOptions {
  /** Where the bundle is to appear. */
  readonly out: string
  /** True when a bundle that is there already is replaced. */
  readonly force?: boolean | undefined
}

/**
 * Makes a bundle that appears whole or not at all: `build` fills a private directory next to the final place, which then
 * takes that place by rename. After a failure nothing is left; what a killed process left is removed by the next.
 *
 * A process killed while it replaces a bundle may leave the place empty for the next to restore the old one.
 * @param build gets a path of the private directory that holds while `build` runs; only the owner can enter it
 * @returns the absolute path of the bundle
 * @throws OciError `ERR_BUNDLE_EXISTS`; `ERR_PERMISSION`; what `build` throws
 */
export async function makeBundleDirectory(
  { out, force = false }: BundleDirectoryOptions,
  build: (directory: string) => Promise<void>,
): Promise<string> {
  const path = resolve(out)
  const parent = dirname(path)
  await prepareParent(parent)
  cleanUp(parent, basename(path))
  checkPlace(path, force)
  if (force && look(path) === 'bundle') checkRemovable(path)
  const directory = await makePrivateDirectory(join(parent, `.${basename(path)}.partial-${ownerOf()}-`))
  try {
    await build(directory.anchor)
    await put(directory, path, force)
  } catch (error) {
    directory.remove()
    throw naming(directory, error)
  } finally {
    directory.close()
  }
  return path
}

const ownPlace = 'choose a place where you may write'

/**
 * Refuses a place that is taken, or where nothing can be made.
 *
 * @throws OciError `ERR_BUNDLE_EXISTS` something is there, and `force` is not given, or it is no bundle or in use;
 *   `ERR_PERMISSION`
 */
export function checkPlace(out: string, force: boolean): void {
  const path = resolve(out)
  const parent = dirname(path)
  const found = look(path)
  if (found !== 'other') {
    checkWritable(parent, {
      code: 'ERR_PERMISSION',
      what: `cannot make a bundle in ${parent}`,
      hint: ownPlace,
      isMade: true,
    })
  }
  if (found === 'nothing') return
  if (!force) throw exists(path, 'there is something already', 'choose another place, or replace it with --force')
  if (found === 'other') {
    throw exists(
      path,
      'what is there is not a bundle, and is not replaced',
      'remove it yourself, or choose another place',
    )
  }
  const mounted = mountsBelow(path)[0]
  if (mounted !== undefined) {
    throw exists(
      path,
      `the bundle that is there has something mounted on ${mounted}`,
      'delete its container, or unmount it',
    )
  }
}

function look(path: string): 'nothing' | 'bundle' | 'other' {
  try {
    if (!lstatSync(path).isDirectory()) return 'other'
    const names = readdirSync(path)
    return names.length === 0 || names.includes('rootfs') || names.includes('config.json') ? 'bundle' : 'other'
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return 'nothing'
    if (isSystemError(error, 'ENAMETOOLONG', 'ELOOP')) throw denied(path, error)
    if (isSystemError(error, 'ENOTDIR')) return 'other'
    throw error
  }
}

/** Mount points at or below a path; removing files there would remove what is mounted. */
function mountsBelow(path: string): string[] {
  const points = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) =>
      (line.split(' ')[4] ?? '').replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(parseInt(octal, 8))),
    )
  return points.filter((point) => point === path || point.startsWith(`${path}/`))
}

async function prepareParent(parent: string): Promise<void> {
  try {
    makeDirectories(parent)
  } catch (error) {
    throw denied(parent, error)
  }
}

/** An error of `build` with the directory's own path for that of its descriptor. */
function naming({ anchor, path }: PrivateDirectory, error: unknown): unknown {
  if (!(error instanceof OciError) || !error.message.includes(anchor)) return error
  return reworded(error, error.message.replaceAll(anchor, path))
}

async function put(directory: PrivateDirectory, path: string, force: boolean): Promise<void> {
  checkPlace(path, force)
  const old = join(dirname(path), `.${basename(path)}.old-${ownerOf()}`)
  if (force) await renameIfThere(path, old)
  try {
    await rename(directory.path, path)
  } catch (error) {
    if (force) await renameIfThere(old, path)
    if (isSystemError(error, 'ENOENT')) throw displaced(directory.path)
    if (!isSystemError(error, 'ENOTEMPTY', 'EEXIST', 'ENOTDIR')) throw error
    throw exists(path, 'something has appeared there meanwhile', 'choose another place, or replace it with --force')
  }
  if (force) removeTree(old)
  if (!directory.isAt(path)) throw displaced(path)
}

async function renameIfThere(from: string, to: string): Promise<void> {
  try {
    await rename(from, to)
  } catch (error) {
    if (!isSystemError(error, 'ENOENT')) throw error
  }
}

/** Removes what killed processes left of this bundle, and puts back an old one whose successor never came. */
function cleanUp(parent: string, name: string): void {
  for (const entry of readdirSync(parent)) {
    const isPartial = entry.startsWith(`.${name}.partial-`)
    const isOld = entry.startsWith(`.${name}.old-`)
    const owner = /-(\d+-\d+)(?:-\w{6})?$/.exec(entry)?.[1]
    if (!(isPartial || isOld) || owner === undefined || isOwnerAlive(owner)) continue
    const path = join(parent, entry)
    if (isOld && look(join(parent, name)) === 'nothing') renameSync(path, join(parent, name))
    else removeTree(path)
  }
}

function denied(path: string, cause: unknown): unknown {
  if (!isSystemError(cause)) return cause
  return new OciError('ERR_PERMISSION', `cannot make a bundle in ${path}: ${whyNot(cause)}`, { hint: ownPlace, cause })
}

const exists = (path: string, why: string, hint: string): OciError =>
  new OciError('ERR_BUNDLE_EXISTS', `${path}: ${why}`, { hint })
