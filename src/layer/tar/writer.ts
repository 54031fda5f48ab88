import { blockBytes, paddingOf } from './header.ts'
import type { Timestamp } from './pax.ts'
import type { TarEntryKind } from './reader.ts'

/** One entry of an archive to be written. Names are bytes, one character (U+0000 to U+00FF) each. */
export interface TarWriterEntry {
  readonly kind: TarEntryKind
  readonly path: string
  /** Target of a symlink or hard link, else ''. */
  readonly linkPath: string
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Bytes of data that follow; 0 unless the entry is a regular file. */
  readonly size: number
  readonly mtime: Timestamp
  readonly major: number
  readonly minor: number
  readonly xattrs: ReadonlyMap<string, string> | undefined
}

const types: Readonly<Record<TarEntryKind, string>> = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  character: '3',
  block: '4',
  directory: '5',
  fifo: '6',
}

const maxOctal7 = 0o7777777
const maxOctal11 = 0o77777777777

/**
 * The header of an entry: a ustar block, after a PAX header for values that ustar cannot hold. The same entry always
 * gives the same bytes; names of users and groups, access times and the like are not written.
 *
 * tar-stream's `pack` does not serve here: it writes names and attributes as UTF-8, and they may be any bytes.
 * @see POSIX.1-2017 pax "ustar Interchange Format" and "pax Extended Header"
 */
export function formatTarHeader(member: TarWriterEntry): Buffer {
  const records = paxRecords(member)
  const block = ustarBlock(member, types[member.kind])
  if (records.length === 0) return block
  const body = Buffer.from(records.map(formatRecord).join(''), 'latin1')
  const plain = { mode: 0o644, uid: 0, gid: 0, mtime: { seconds: 0, nanoseconds: 0 }, major: 0, minor: 0 }
  const header = ustarBlock({ ...plain, path: 'PaxHeaders.0/entry', linkPath: '', size: body.length }, 'x')
  return Buffer.concat([header, body, Buffer.alloc(paddingOf(body.length)), block])
}

/** The end marker of an archive. */
export const tarEnd: Buffer = Buffer.alloc(2 * blockBytes)

function paxRecords({ path, linkPath, uid, gid, size, mtime, xattrs }: TarWriterEntry): [key: string, value: string][] {
  const records: [string, string][] = []
  if (path.length > 100) records.push(['path', path])
  if (linkPath.length > 100) records.push(['linkpath', linkPath])
  if (uid > maxOctal7) records.push(['uid', String(uid)])
  if (gid > maxOctal7) records.push(['gid', String(gid)])
  if (size > maxOctal11) records.push(['size', String(size)])
  if (!isOctalTime(mtime)) records.push(['mtime', formatTime(mtime)])
  const sorted = [...(xattrs ?? [])].sort(([a], [b]) => (a < b ? -1 : 1))
  for (const [name, value] of sorted) records.push([`SCHILY.xattr.${name}`, value])
  return records
}

/** A PAX record, `LENGTH KEY=VALUE\n`, whose length counts itself. */
function formatRecord([key, value]: readonly [string, string]): string {
  const rest = ` ${key}=${value}\n`
  let length = rest.length + 1
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length
  return `${length}${rest}`
}

const isOctalTime = ({ seconds, nanoseconds }: Timestamp): boolean =>
  nanoseconds === 0 && seconds >= 0 && seconds <= maxOctal11

/**
 * A time in decimal seconds. The fraction of a `Timestamp` counts forward; before 1970 it is converted to count
 * backward.
 */
function formatTime({ seconds, nanoseconds }: Timestamp): string {
  const isTurned = seconds < 0 && nanoseconds > 0
  const whole = isTurned ? -(seconds + 1) : Math.abs(seconds)
  const fraction = isTurned ? 1e9 - nanoseconds : nanoseconds
  const decimals = fraction === 0 ? '' : `.${String(fraction).padStart(9, '0').replace(/0+$/, '')}`
  return `${seconds < 0 ? '-' : ''}${whole}${decimals}`
}

function ustarBlock(member: Omit<TarWriterEntry, 'kind' | 'xattrs'>, type: string): Buffer {
  const block = Buffer.alloc(blockBytes)
  const octal = (at: number, length: number, value: number, max: number): void => {
    const text = value >= 0 && value <= max ? value.toString(8) : '0'
    block.write(text.padStart(length - 1, '0'), at, 'latin1')
  }
  block.write(member.path.slice(0, 100), 0, 'latin1')
  octal(100, 8, member.mode, maxOctal7)
  octal(108, 8, member.uid, maxOctal7)
  octal(116, 8, member.gid, maxOctal7)
  octal(124, 12, member.size, maxOctal11)
  octal(136, 12, member.mtime.seconds, maxOctal11)
  block.write(`        ${type}`, 148, 'latin1')
  block.write(member.linkPath.slice(0, 100), 157, 'latin1')
  block.write('ustar\x0000', 257, 'latin1')
  octal(329, 8, member.major, maxOctal7)
  octal(337, 8, member.minor, maxOctal7)
  let sum = 0
  for (const byte of block) sum += byte
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return block
}
