import { isSystemError, OciError } from '../errors.ts'
import { rootlessUid } from '../oci/user-namespace.ts'
import type { Owner } from './owner-record.ts'
import { shown } from './tar/reader.ts'

/**
 * Sets the owner of a file by calling `chown`, which is to call chown(2) or a variant of it.
 * @throws OciError `ERR_NOT_SUPPORTED` the user namespace does not map the owner
 */
export function giveOwner(name: string, { uid, gid }: Owner, chown: () => void): void {
  try {
    chown()
  } catch (error) {
    if (!isSystemError(error, 'EINVAL')) throw error
    throw needsMoreIDs(`${shown(name)} has owner ${uid}:${gid}`, Math.max(uid, gid), error)
  }
}

/**
 * The error for an id that this user namespace does not map.
 * @param problem the part of the message that names the id, at its end
 */
export function needsMoreIDs(problem: string, id: number, cause?: unknown): OciError {
  const user = process.env[rootlessUid] ?? 'USER'
  return new OciError('ERR_NOT_SUPPORTED', `${problem}, which this user namespace does not map`, {
    hint: `map more ids: in /etc/subuid and /etc/subgid, replace the line of ${user} with "${user}:100000:${id + 1}"`,
    cause,
  })
}
