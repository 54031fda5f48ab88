import { chmodSync, constants, type Dirent, lstatSync, readdirSync, rmSync } from 'node:fs'
import { isSystemError, OciError } from '../errors.ts'

/**
 * Removes a file or directory with everything beneath it, even directories that their owner cannot write to: images
 * have some (CentOS's /root is 0550), and only root may ignore their mode. A path that does not exist is no error.
 *
 * @throws OciError `ERR_PERMISSION` a directory is another user's
 */
export function removeTree(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true })
  } catch (error) {
    if (!isSystemError(error, 'EACCES')) throw error
    checkRemovable(path)
    makeWritable(Buffer.from(path))
    rmSync(path, { recursive: true, force: true })
  }
}

/**
 * Checks, before anything is removed, that a tree can be removed.
 * @throws OciError `ERR_PERMISSION` a directory is another user's
 */
export function checkRemovable(path: string): void {
  const euid = process.geteuid?.() ?? 0
  if (euid !== 0) visitDirectories(Buffer.from(path), (directory) => checkOwner(directory, path, euid))
}

function checkOwner(directory: Buffer, tree: string, euid: number): void {
  const { uid } = lstatSync(directory)
  if (uid === euid) return
  throw new OciError('ERR_PERMISSION', `cannot remove ${tree}: ${directory} belongs to another user, ${uid}`, {
    hint: `if that is one of your subordinate ids, remove it with "bundle-tool unshare rm -rf ${tree}"`,
  })
}

function makeWritable(path: Buffer): void {
  visitDirectories(path, (directory) => {
    if ((lstatSync(directory).mode & 0o700) !== 0o700) chmodSync(directory, 0o700)
  })
}

/** Visits each directory before those in it; of a directory that cannot be read, only itself. */
function visitDirectories(path: Buffer, visit: (path: Buffer) => void): void {
  const { mode } = lstatSync(path)
  if ((mode & constants.S_IFMT) !== constants.S_IFDIR) return
  visit(path)
  for (const entry of readIfAllowed(path)) {
    if (entry.isDirectory()) visitDirectories(Buffer.concat([path, Buffer.from('/'), entry.name]), visit)
  }
}

function readIfAllowed(path: Buffer): Dirent<Buffer>[] {
  try {
    return readdirSync(path, { withFileTypes: true, encoding: 'buffer' })
  } catch (error) {
    if (isSystemError(error, 'EACCES')) return []
    throw error
  }
}
