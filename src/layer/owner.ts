import { lchownSync } from 'node:fs'
import { isSystemError, OciError } from '../errors.ts'
import { rootlessUid } from '../oci/user-namespace.ts'
import type { Owner } from './owner-record.ts'
import type { Site } from './site.ts'
import { shown } from './tar-reader.ts'

/** Whether a new file does not belong to this owner by itself, and can be given to it. */
export const isForeign = (site: Site, { uid, gid }: Owner): boolean =>
  site.isPrivileged && (uid !== site.uid || gid !== site.gid)

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

/** Gives the file at `place` its owner, unless it has it or can have none. */
export function giveOwnerAt(
  site: Site,
  name: string,
  { owner, place }: { owner: Owner; place: string | Buffer },
): void {
  if (isForeign(site, owner)) giveOwner(name, owner, () => lchownSync(place, owner.uid, owner.gid))
}
