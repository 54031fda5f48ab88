import { chmodSync, readlinkSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { isSystemError, OciError } from './errors.ts'
import { makeDirectories } from './make-directories.ts'
import { checkTemporaryRoot, temporaryRoot } from './temporary-root.ts'
import { exactText, isText } from './text.ts'

/** What of the caller decides where its containers are kept. */
export interface RootEnvironment {
  readonly [name: string]: string | undefined
}

/**
 * The directory that keeps the state of the caller's containers unless `--root` names another.
 *
 * `/run/bundle-tool` for euid 0; else `$XDG_RUNTIME_DIR/bundle-tool`, and without that variable `/tmp/bundle-tool-EUID`,
 * which `absoluteRoot` checks.
 */
export function defaultRoot(env: RootEnvironment, euid: number): string {
  if (euid === 0) return '/run/bundle-tool'
  return env.XDG_RUNTIME_DIR ? join(env.XDG_RUNTIME_DIR, 'bundle-tool') : temporaryRoot(euid)
}

/** A path that was given, as seen from the current directory. */
export function absolute(path: string | undefined): string | undefined {
  return path === undefined ? undefined : absolutePath(path)
}

/** The same for a path that is there to be taken. */
export function absolutePath(path: string): string {
  return path.startsWith('/') ? resolve(path) : resolve(currentDirectory(), path)
}

/** Byte for byte: in what Node.js says, U+FFFD stands for bytes that are no UTF-8. */
function currentDirectory(): string {
  const path = process.cwd()
  return path.includes('\ufffd') ? exactText(readlinkSync('/proc/self/cwd', { encoding: 'buffer' })) : path
}

/**
 * `root` as an absolute path; without one, the caller's default.
 * @throws OciError `ERR_USAGE` it is empty or `/`, whose directories are not containers; `ERR_PERMISSION` it is the default
 *   one in /tmp, and somebody else's
 */
export function absoluteRoot(root: string = defaultRoot(process.env, process.geteuid?.() ?? 0)): string {
  const path = root === '' ? '/' : absolutePath(root)
  if (path === '/') throw new OciError('ERR_USAGE', `the root for container state must not be "${root}"`)
  checkPathIsText('the root for container state', path)
  checkTemporaryRoot(path, process.geteuid?.() ?? 0)
  return path
}

/**
 * Checks that a path can be said in JSON, and to Node.js.
 * @throws OciError `ERR_USAGE`
 */
export function checkPathIsText(what: string, path: string): void {
  if (isText(path)) return
  throw new OciError('ERR_USAGE', `${what}, "${path}", is not UTF-8`, {
    hint: 'use a path that is, or a link with one',
  })
}

/**
 * Makes `root` unless it is there; its missing parents too. One that this tool made for all to pass through is closed.
 *
 * Mode 0700, since whoever reaches a container's exec fifo could start it. A directory of a user gets the
 * sticky bit as well, so that the host does not clean it up.
 * @throws OciError `ERR_FILE_SYSTEM`; `ERR_PERMISSION` as `absoluteRoot`
 * @see XDG Base Directory Specification "Environment variables": files must have the sticky bit to survive clean-up
 */
export function makeRoot(root: string, euid: number): void {
  try {
    const isNew = makeDirectories(root, 0o700)
    checkTemporaryRoot(root, euid) // somebody may have been faster
    if (isNew || isFormer(root, euid)) chmodSync(root, euid === 0 ? 0o700 : 0o1700)
  } catch (error) {
    if (!isSystemError(error)) throw error
    const why = error.code === 'EEXIST' ? 'it is no directory' : error.code
    throw new OciError('ERR_FILE_SYSTEM', `cannot make "${root}" for the state of containers: ${why}`, {
      hint: 'set XDG_RUNTIME_DIR, or name a directory you may write to with --root',
      cause: error,
    })
  }
}

/** The mode of the directories that were made before they were closed to others. */
const formerMode = 0o711

function isFormer(root: string, euid: number): boolean {
  const { mode, uid } = statSync(root)
  return uid === euid && (mode & 0o7777) === formerMode
}
