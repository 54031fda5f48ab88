import { isSystemError, OciError } from '../errors.ts'
import { rootlessUid } from '../oci/user-namespace.ts'
import type { Owner } from './owner-record.ts'
import { shown } from './tar/reader.ts'

/**
 * Gives a file its owner by `chown`, which is to call chown(2) or one like it.
 * @throws OciError `ERR_NOT_SUPPORTED` the user namespace does not have the owner
 */
export function giveOwner(name: string, { uid, gid }: Owner, chown: () => void): void {
  try {
    chown()
  } catch (error) {
    if (!isSystemError(error, 'EINVAL')) throw error
    throw needsMoreIDs(`${shown(name)} has owner ${uid}:${gid}`, Math.max(uid, gid), error)
  }
}

/** What `problem` says needs an id that this user namespace lacks. */
export function needsMoreIDs(problem: string, id: number, cause?: unknown): OciError {
  const user = process.env[rootlessUid] ?? 'USER'
  return new OciError('ERR_NOT_SUPPORTED', `${problem}, which this user namespace lacks`, {
    hint: `map more ids: a line "${user}:100000:${id + 1}" in /etc/subuid and /etc/subgid, in place of one there, has enough`,
    cause,
  })
}
