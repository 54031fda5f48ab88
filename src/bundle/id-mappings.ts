import { readFileSync } from 'node:fs'
import { callerHas, needsUserNamespace } from '../caller-rights.ts'
import { OciError } from '../errors.ts'
import { needsMoreIDs } from '../layer/owner.ts'
import type { IDMapping, IDMappings } from '../oci/runtime-config.ts'
import { isInitialIDMap } from '../oci/user-namespace.ts'
import type { ImageUser } from './user.ts'

/** True when this process is in the initial user namespace. */
export const isInInitialNamespace = (): boolean => isInitialIDMap(readFileSync('/proc/self/uid_map', 'utf8'))

/**
 * The id mappings of this process's user namespace, from which its creator can make mappings for containers.
 *
 * @throws OciError `ERR_PERMISSION` this process is not root of a user namespace of its own
 */
export function ownMappings(): IDMappings {
  if (process.geteuid?.() === 0 && !isInInitialNamespace()) {
    return { uidMappings: ownMap('uid'), gidMappings: ownMap('gid') }
  }
  throw new OciError('ERR_PERMISSION', 'only root of a user namespace can give files subordinate ids', {
    hint: 'run it by unshare()',
  })
}

/** The user namespace of a bundle's containers. */
export interface BundleNamespace {
  readonly rootless: boolean
  /** Undefined where the caller is the only id. */
  readonly idMappings?: IDMappings | undefined
}

/**
 * The user namespace that containers of the caller's bundles need.
 *
 * @param subids true for a bundle that is made in a user namespace, for containers that have its ids
 * @throws OciError `ERR_PERMISSION` as `ownMappings`
 */
export function bundleNamespace(subids = false): BundleNamespace {
  if (subids) return { rootless: true, idMappings: ownMappings() }
  if (!needsUserNamespace()) return { rootless: false }
  const mayMapAll = process.geteuid?.() === 0 && callerHas('CAP_SETUID', 'CAP_SETGID', 'CAP_SETFCAP')
  return { rootless: true, idMappings: mayMapAll ? sameMappings() : undefined }
}

/** All ids that this process's user namespace has, for a container of root's. */
function sameMappings(): IDMappings {
  const same = (kind: 'uid' | 'gid'): IDMapping[] => ownMap(kind).map((one) => ({ ...one, hostID: one.containerID }))
  return { uidMappings: same('uid'), gidMappings: same('gid') }
}

/** The ids that this process's user namespace has, with those that they are outside of it. */
export function ownMap(kind: 'uid' | 'gid'): IDMapping[] {
  const lines = readFileSync(`/proc/self/${kind}_map`, 'utf8').trimEnd().split('\n')
  return lines.map((line) => {
    const [containerID = 0, hostID = 0, size = 0] = line.trim().split(/\s+/).map(Number)
    return { containerID, hostID, size }
  })
}

/** True when `mappings` map the id `id` of the container. */
export const hasID = (mappings: readonly IDMapping[], id: number): boolean =>
  mappings.some(({ containerID, size }) => id >= containerID && id < containerID + size)

/**
 * Checks that the mappings have all ids of an image's user.
 * @throws OciError `ERR_NOT_SUPPORTED` they lack one
 */
export function checkUser({ uid, gid, additionalGids }: ImageUser, { uidMappings, gidMappings }: IDMappings): void {
  const gids = [gid, ...additionalGids]
  if (hasID(uidMappings, uid) && gids.every((id) => hasID(gidMappings, id))) return
  throw needsMoreIDs(`the image runs as ${uid}:${gids.join(',')}`, Math.max(uid, ...gids))
}
