/**
 * Builds tar archives for tests with every byte of every header under control.
 *
 * Names and values are strings of bytes (U+0000 to U+00FF), so that anything can be written, also text that is not
 * UTF-8.
 */

/** The fields of a header block; by default those of a plain ustar file of mode 0644, owner 0:0, time 0. */
export interface HeaderFields {
  readonly name?: string
  readonly mode?: number | string
  readonly uid?: number | string
  readonly gid?: number | string
  /** A number is written in octal; a string is written unchanged. */
  readonly size?: number | string
  readonly mtime?: number | string
  readonly type?: string
  readonly linkName?: string
  /** Magic and version: bytes 257 to 264. */
  readonly magic?: string
  readonly major?: number | string
  readonly minor?: number | string
  readonly prefix?: string
  /** Written last, at its offset, before the checksum is taken. */
  readonly patch?: readonly (readonly [offset: number, bytes: string])[]
  /** The checksum; default: the right one. */
  readonly checksum?: string
}

export const ustar = 'ustar\x0000'
export const gnu = 'ustar  \0'

export function header(fields: HeaderFields): Buffer {
  const block = Buffer.alloc(512)
  const put = (offset: number, length: number, value: number | string): void => {
    const text = typeof value === 'string' ? value : `${value.toString(8).padStart(length - 1, '0')}\0`
    if (text.length > length) throw new Error(`${JSON.stringify(text)} is longer than ${length} bytes`)
    block.write(text, offset, 'latin1')
  }
  put(0, 100, fields.name ?? '')
  put(100, 8, fields.mode ?? 0o644)
  put(108, 8, fields.uid ?? 0)
  put(116, 8, fields.gid ?? 0)
  put(124, 12, fields.size ?? 0)
  put(136, 12, fields.mtime ?? 0)
  put(156, 1, fields.type ?? '0')
  put(157, 100, fields.linkName ?? '')
  put(257, 8, fields.magic ?? ustar)
  put(329, 8, fields.major ?? 0)
  put(337, 8, fields.minor ?? 0)
  put(345, 155, fields.prefix ?? '')
  for (const [offset, bytes] of fields.patch ?? []) put(offset, 512 - offset, bytes)
  block.write('        ', 148)
  const sum = block.reduce((total, byte) => total + byte, 0)
  put(148, 8, fields.checksum ?? `${sum.toString(8).padStart(6, '0')}\0 `)
  return block
}

/** Data, padded to whole blocks. */
export function blocks(data: string | Buffer): Buffer {
  const bytes = typeof data === 'string' ? Buffer.from(data, 'latin1') : data
  return Buffer.concat([bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)])
}

/** A header with its data; the size is that of the data unless it is given. */
export function member(fields: HeaderFields, data: string | Buffer = ''): Buffer {
  return Buffer.concat([header({ size: Buffer.byteLength(data, 'latin1'), ...fields }), blocks(data)])
}

export const file = (name: string, data: string | Buffer = '', fields: HeaderFields = {}): Buffer =>
  member({ name, ...fields }, data)

export const directory = (name: string, fields: HeaderFields = {}): Buffer =>
  header({ name: `${name}/`, type: '5', mode: 0o755, ...fields })

export const symlink = (name: string, linkName: string, fields: HeaderFields = {}): Buffer =>
  header({ name, type: '2', mode: 0o777, linkName, ...fields })

export const hardlink = (name: string, linkName: string, fields: HeaderFields = {}): Buffer =>
  header({ name, type: '1', linkName, ...fields })

/** A PAX header for the next entry. */
export function pax(records: Readonly<Record<string, string>>, fields: HeaderFields = {}): Buffer {
  const body = Object.entries(records).map(([key, value]) => paxRecord(key, value))
  return member({ name: 'PaxHeaders/x', type: 'x', ...fields }, body.join(''))
}

/** A PAX record, `LENGTH KEY=VALUE\n`, whose length counts itself. */
export function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`
  let length = rest.length + 1
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length
  return `${length}${rest}`
}

/** GNU's header for a name (type L) or link target (type K) of the next entry. */
export const gnuLong = (type: 'L' | 'K', text: string): Buffer =>
  member({ name: '././@LongLink', type, magic: gnu }, `${text}\0`)

/** An archive: the members and the end marker. */
export const tar = (...members: readonly Buffer[]): Buffer => Buffer.concat([...members, Buffer.alloc(1024)])

/** GNU's base-256 form of a number for a field of `length` bytes. */
export function base256(value: bigint, length: number): string {
  const bytes = BigInt.asUintN(8 * length, value)
    .toString(16)
    .padStart(2 * length, '0')
  const buffer = Buffer.from(bytes, 'hex')
  buffer[0] = (buffer[0] ?? 0) | 0x80
  return buffer.toString('latin1')
}
