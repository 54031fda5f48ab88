import type { TarEntry } from './tar/reader.ts'

/**
 * The extended attribute that records a file's owner where an unprivileged user cannot set it, for tools that emulate
 * chown(2) and for packing the file again. umoci and PRoot read and write the same attribute.
 * @see https://rootlesscontaine.rs "user.rootlesscontainers"
 */
export const ownerXattr = 'user.rootlesscontainers'

/** The value recorded for id 0, since protobuf's default, 0, would be no record. */
const unrecorded = 0xffff_ffff

/** User and group that own a file. */
export interface Owner {
  readonly uid: number
  readonly gid: number
}

/** The record of an entry's owner; undefined for root, and for files that cannot have the attribute. */
export function ownerRecord({ kind, uid, gid }: TarEntry): string | undefined {
  if ((uid === 0 && gid === 0) || (kind !== 'file' && kind !== 'directory')) return undefined
  return formatOwnerRecord({ uid, gid })
}

/** An owner's record: the protobuf message `Resource { uint32 uid = 1; uint32 gid = 2; }`, one character per byte. */
export function formatOwnerRecord({ uid, gid }: Owner): string {
  return `\x08${varint(uid === 0 ? unrecorded : uid)}\x10${varint(gid === 0 ? unrecorded : gid)}`
}

/** A protobuf varint: seven bits per byte, lowest first; the eighth bit says that more bytes follow. */
function varint(value: number): string {
  let bytes = ''
  let rest = value
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes += String.fromCharCode(0x80 | (rest % 0x80))
  return bytes + String.fromCharCode(rest)
}

/** The owner in a record, or undefined when the bytes are not a record: an attribute may hold anything. */
export function parseOwnerRecord(record: Uint8Array): Owner | undefined {
  const owner = { uid: 0, gid: 0 }
  for (let at = 0; at < record.length; ) {
    const field = record[at] === 0x08 ? 'uid' : record[at] === 0x10 ? 'gid' : undefined
    if (field === undefined) return undefined
    let value = 0
    let scale = 1
    do {
      at += 1
      value += ((record[at] ?? 0) & 0x7f) * scale
      scale *= 0x80
    } while (at < record.length && ((record[at] ?? 0) & 0x80) !== 0)
    if (at >= record.length || value > unrecorded) return undefined
    at += 1
    owner[field] = value === unrecorded ? 0 : value
  }
  return owner
}
