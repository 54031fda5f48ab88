import { closeSync, constants, fstatSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { isSystemError, OciError } from './errors.ts'
import { temporaryRootPrefix } from './program/contract.ts'

/** The state root of a user who has no runtime directory, as after su(1) and under cron(8). */
export const temporaryRoot = (euid: number): string => `${temporaryRootPrefix}${euid}`

const others = 0o077
const groupAndOthersWrite = 0o022
const sticky = 0o1000

/**
 * Checks that `root`, where it is the caller's temporary one, is a directory of the caller's that nobody else can enter, or is
 * not there. A name in a directory that everybody can write to may have been taken by anybody.
 *
 * A directory that has passed can be used by its name: in a sticky directory of root's only its owner can rename or remove it.
 * native/front/front.c has the same check; what it refuses comes here for the words.
 * @throws OciError `ERR_PERMISSION`
 */
export function checkTemporaryRoot(root: string, euid: number): void {
  if (root !== temporaryRoot(euid)) return
  checkParent(dirname(root), euid)
  const descriptor = openDirectory(root)
  if (descriptor === undefined) return
  const { uid, mode } = fstatSync(descriptor)
  closeSync(descriptor)
  if (uid !== euid) throw refused(root, `it is the directory of user ${uid}`)
  if ((mode & others) !== 0) throw refused(root, `others can enter it (mode ${(mode & 0o7777).toString(8)})`)
}

function checkParent(path: string, euid: number): void {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY)
  const { uid, mode } = fstatSync(descriptor)
  closeSync(descriptor)
  if ((uid === 0 || uid === euid) && ((mode & groupAndOthersWrite) === 0 || (mode & sticky) !== 0)) return
  throw refused(path, "others could replace what is in it: it is not sticky, or not root's")
}

function openDirectory(path: string): number | undefined {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    if (!isSystemError(error)) throw error
    if (error.code === 'ENOENT') return undefined
    const isNone = error.code === 'ENOTDIR' || error.code === 'ELOOP'
    throw refused(path, isNone ? 'it is no directory' : `it cannot be opened: ${error.code}`)
  }
}

const refused = (path: string, why: string): OciError =>
  new OciError('ERR_PERMISSION', `"${path}" is not safe to keep the state of containers in: ${why}`, {
    hint: 'set XDG_RUNTIME_DIR, or name a directory of your own with --root',
  })
