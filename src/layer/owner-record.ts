import type { TarEntry } from './tar/reader.ts'

/**
 * The extended attribute in which an unprivileged user keeps the owner that a file would have, for tools that emulate
 * chown(2), and for packing the file again: umoci and PRoot read and write the same.
 * @see https://rootlesscontaine.rs "user.rootlesscontainers"
 */
export const ownerXattr = 'user.rootlesscontainers'

/** What stands for root, so that the record is no default. */
const unrecorded = 0xffff_ffff

/** An owner, or undefined for root, who needs no record. */
export interface Owner {
  readonly uid: number
  readonly gid: number
}

/** The record of an entry's owner, or undefined when it needs none or can have none. */
export function ownerRecord({ kind, uid, gid }: TarEntry): string | undefined {
  if ((uid === 0 && gid === 0) || (kind !== 'file' && kind !== 'directory')) return undefined
  return formatOwnerRecord({ uid, gid })
}

/** A protobuf message `Resource { uint32 uid = 1; uint32 gid = 2; }`, as bytes of one character each. */
export function formatOwnerRecord({ uid, gid }: Owner): string {
  return `\x08${varint(uid === 0 ? unrecorded : uid)}\x10${varint(gid === 0 ? unrecorded : gid)}`
}

/** Seven bits a byte, lowest first; the eighth says that more follow. */
function varint(value: number): string {
  let bytes = ''
  let rest = value
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes += String.fromCharCode(0x80 | (rest % 0x80))
  return bytes + String.fromCharCode(rest)
}

/** What a record says, or undefined when it is none: an attribute may hold anything. */
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
