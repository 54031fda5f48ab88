import { chmodSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { isSystemError, OciError } from './errors.ts'
import { makeDirectories } from './make-directories.ts'
import { isInitialIDMap } from './oci/user-namespace.ts'
import { checkTemporaryRoot, temporaryRoot } from './temporary-root.ts'
import { exactText, isText } from './text.ts'

/** The environment variables of the caller; XDG_RUNTIME_DIR decides where its containers' state is kept. */
export interface RootEnvironment {
  readonly [name: string]: string | undefined
}

/**
 * The directory that keeps the state of the caller's containers unless `--root` names another.
 *
 * It is `/run/bundle-tool` for euid 0; else `$XDG_RUNTIME_DIR/bundle-tool`, or without that variable
 * `/tmp/bundle-tool-EUID`, which `absoluteRoot` checks. In a user namespace euid 0 is a user, as podman's is, unless USER is
 * root: that is runc's rule.
 *
 * @param readIDMap reads the user ids of this process's user namespace
 */
export function defaultRoot(env: RootEnvironment, euid: number, readIDMap: () => string = ownIDMap): string {
  const isUser = euid !== 0 || (Boolean(env.XDG_RUNTIME_DIR) && env.USER !== 'root' && !isInitialIDMap(readIDMap()))
  if (!isUser) return '/run/bundle-tool'
  return env.XDG_RUNTIME_DIR ? join(env.XDG_RUNTIME_DIR, 'bundle-tool') : temporaryRoot(euid)
}

const ownIDMap = (): string => readFileSync('/proc/self/uid_map', 'utf8')

/** Makes `path` absolute against the current directory; undefined stays undefined. */
export function absolute(path: string | undefined): string | undefined {
  return path === undefined ? undefined : absolutePath(path)
}

/** Makes `path` absolute against the current directory. */
export function absolutePath(path: string): string {
  return path.startsWith('/') ? resolve(path) : resolve(currentDirectory(), path)
}

/** The current directory, byte for byte: `process.cwd()` has U+FFFD in place of bytes that are not UTF-8. */
function currentDirectory(): string {
  const path = process.cwd()
  return path.includes('\ufffd') ? exactText(readlinkSync('/proc/self/cwd', { encoding: 'buffer' })) : path
}

/**
 * Makes `root` absolute; the default is the caller's state root.
 * @throws OciError `ERR_USAGE` it is empty or `/`, whose directories are not containers, or is not UTF-8; `ERR_PERMISSION` it
 *   is the default one in /tmp, and somebody else's
 */
export function absoluteRoot(root: string = defaultRoot(process.env, process.geteuid?.() ?? 0)): string {
  const path = root === '' ? '/' : absolutePath(root)
  if (path === '/') throw new OciError('ERR_USAGE', `the root for container state must not be "${root}"`)
  checkPathIsText('the root for container state', path)
  checkTemporaryRoot(path, process.geteuid?.() ?? 0)
  return path
}

/**
 * Checks that a path is UTF-8, without which JSON cannot contain it and Node.js cannot open it.
 * @param name names the path in the error
 * @throws OciError `ERR_USAGE`
 */
export function checkPathIsText(name: string, path: string): void {
  if (isText(path)) return
  throw new OciError('ERR_USAGE', `${name}, "${path}", is not UTF-8`, {
    hint: 'use a path that is UTF-8, or a symbolic link with such a path',
  })
}

/**
 * Makes the directory `root` and its missing parents. An existing one of the caller's with mode 0711, which earlier
 * versions used, is closed to others.
 *
 * Its mode is 0700, since whoever reaches a container's exec fifo could start the container. For an euid other than 0 it
 * gets the sticky bit as well, so that the host's clean-up of old files does not remove it.
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
    const why = error.code === 'EEXIST' ? 'it is not a directory' : error.code
    throw new OciError('ERR_FILE_SYSTEM', `cannot make "${root}" for the state of containers: ${why}`, {
      hint: 'set XDG_RUNTIME_DIR, or name a directory you may write to with --root',
      cause: error,
    })
  }
}

/** The mode that earlier versions gave to `root`. */
const formerMode = 0o711

function isFormer(root: string, euid: number): boolean {
  const { mode, uid } = statSync(root)
  return uid === euid && (mode & 0o7777) === formerMode
}
