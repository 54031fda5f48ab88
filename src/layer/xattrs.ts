import { OciError } from '../errors.ts'
import { ownerRecord, ownerXattr } from './owner-record.ts'
import type { Site } from './site.ts'
import { shown, type TarEntry } from './tar/reader.ts'

/** Labels of the machine that made the layer; the host's policy sets its own. umoci leaves out the same attributes. */
const hostOwned = ['security.selinux', 'system.nfs4_acl']

/**
 * Attributes that overlay mounts store in their layers; in a rootfs that becomes such a layer they would hide or
 * redirect files.
 */
const overlayOwned = /^(?:trusted|user)\.overlay\./

/**
 * The extended attributes of an entry that this rootfs can have, or undefined; the others are left out with a warning.
 * @see man 7 xattr
 */
export function applicableXattrs(site: Site, entry: TarEntry): ReadonlyMap<string, string> | undefined {
  const owner = site.isPrivileged ? undefined : ownerRecord(entry)
  if (entry.xattrs === undefined && owner === undefined) return undefined
  const kept = new Map<string, string>()
  if (owner !== undefined) kept.set(ownerXattr, owner)
  for (const [name, value] of entry.xattrs ?? []) {
    const reason = objection(site, entry, name)
    if (reason === undefined) kept.set(name, checked(entry, name, value))
    else site.warn(`extended attribute ${shown(name)} is left out: ${reason}`)
  }
  return kept.size === 0 ? undefined : kept
}

/** XATTR_NAME_MAX and XATTR_SIZE_MAX of include/uapi/linux/limits.h. */
const [maxNameBytes, maxValueBytes] = [255, 65_536]

/** The value of an attribute that Linux can keep. @throws OciError `ERR_LAYER_INVALID` */
function checked({ path }: TarEntry, name: string, value: string): string {
  const refuse = (what: string): OciError =>
    new OciError('ERR_LAYER_INVALID', `entry ${shown(path)} has an extended attribute ${what}`)
  if (name === '') throw refuse('without a name')
  if (name.length > maxNameBytes)
    throw refuse(`with a name of more than ${maxNameBytes} bytes, ${shown(name.slice(0, 40))}...`)
  if (value.length > maxValueBytes) throw refuse(`${shown(name)} of more than ${maxValueBytes} bytes`)
  return value
}

/** True for an attribute of a file that archives do not hold. */
export const isLeftOut = (name: string): boolean => hostOwned.includes(name) || overlayOwned.test(name)

function objection(site: Site, entry: TarEntry, name: string): string | undefined {
  if (hostOwned.includes(name)) return 'it belongs to the host'
  if (overlayOwned.test(name)) return 'it belongs to overlay mounts'
  if (name === ownerXattr && !site.isPrivileged) return 'it records owners that cannot be set without root'
  const isUser = name.startsWith('user.')
  if (isUser && entry.kind !== 'file' && entry.kind !== 'directory') return `no ${entry.kind} can have it`
  if (!isUser && !site.isPrivileged) return 'setting it needs root'
  return undefined
}
