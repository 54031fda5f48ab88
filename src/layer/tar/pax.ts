import { OciError } from '../../errors.ts'

/** PAX records by key. Keys and values are bytes, one character (U+0000 to U+00FF) each. */
export type PaxRecords = ReadonlyMap<string, string>

/** A time since the epoch: whole seconds, rounded down, and the rest. */
export interface Timestamp {
  readonly seconds: number
  /** 0 to 999,999,999, always forward in time. */
  readonly nanoseconds: number
}

const xattrPrefix = 'SCHILY.xattr.'
/** Keys whose values are C strings: a NUL in them would make two readers see two different names. */
const nulFreeKeys = ['path', 'linkpath', 'uname', 'gname', 'GNU.sparse.name']

/**
 * Parses the body of a PAX extended header. When a key occurs twice, the last value counts, except for the repeated
 * keys of GNU sparse format 0.0, whose values are collected under `GNU.sparse.map` as format 0.1 writes them.
 * @throws OciError `ERR_LAYER_INVALID` a record is malformed
 * @see POSIX.1-2017 pax "pax Extended Header"
 */
export function parsePax(body: Buffer): PaxRecords {
  const records = new Map<string, string>()
  const sparse: string[] = []
  let at = 0
  while (at < body.length) {
    const space = body.indexOf(0x20, at)
    const digits = space === -1 ? '' : body.toString('latin1', at, space)
    const end = at + Number(digits)
    const equals = body.indexOf(0x3d, space)
    if (
      !/^[1-9]\d{0,8}$/.test(digits) ||
      end > body.length ||
      equals === -1 ||
      equals >= end ||
      body[end - 1] !== 0x0a
    ) {
      throw new OciError('ERR_LAYER_INVALID', 'PAX header with a malformed record')
    }
    const key = body.toString('latin1', space + 1, equals)
    const value = body.toString('latin1', equals + 1, end - 1)
    if (key === '' || key.includes('\0') || (nulFreeKeys.includes(key) && value.includes('\0'))) {
      throw new OciError('ERR_LAYER_INVALID', `PAX record ${JSON.stringify(key)} with no name or with a NUL in it`)
    }
    if (key === 'GNU.sparse.offset' || key === 'GNU.sparse.numbytes') sparse.push(value)
    records.set(key, value)
    at = end
  }
  if (sparse.length > 0) records.set('GNU.sparse.map', sparse.join(','))
  return records
}

/** The value of `key` as a whole decimal number; undefined when it is empty or missing. */
export function paxNumber(records: PaxRecords, key: string): number | undefined {
  const value = records.get(key)
  if (value === undefined || value === '') return undefined
  const number = Number(value)
  if (!/^-?\d+$/.test(value) || !Number.isSafeInteger(number)) throw notANumber(key, value)
  return number
}

/** The value of `key` as a time in decimal seconds; decimals past the ninth are dropped. */
export function paxTime(records: PaxRecords, key: string): Timestamp | undefined {
  const value = records.get(key)
  if (value === undefined || value === '') return undefined
  const match = /^(-?)(\d+)(?:\.(\d*))?$/.exec(value)
  const whole = Number(match?.[2])
  if (match === null || !Number.isSafeInteger(whole)) throw notANumber(key, value)
  const nanoseconds = Number((match[3] ?? '').padEnd(9, '0').slice(0, 9))
  if (match[1] === '') return { seconds: whole, nanoseconds }
  return nanoseconds === 0
    ? { seconds: 0 - whole, nanoseconds }
    : { seconds: -whole - 1, nanoseconds: 1e9 - nanoseconds }
}

/** The extended attributes among the records, values byte for byte; undefined when there are none. */
export function paxXattrs(records: PaxRecords): ReadonlyMap<string, string> | undefined {
  let xattrs: Map<string, string> | undefined
  for (const [key, value] of records) {
    if (!key.startsWith(xattrPrefix)) continue
    xattrs ??= new Map()
    xattrs.set(key.slice(xattrPrefix.length), value)
  }
  return xattrs
}

const notANumber = (key: string, value: string): OciError =>
  new OciError('ERR_LAYER_INVALID', `PAX record ${key} with value ${JSON.stringify(value.slice(0, 50))}: not a number`)
