import { OciError } from '../../errors.ts'
import { toPointer } from '../../oci/schema.ts'
import type { PropertyValue, UnitProperty } from './unit-property.ts'

const prefix = 'org.systemd.property.'

/** D-Bus types by their names in GVariant text, except those that no property of a unit has. */
const typeNames: Readonly<Record<string, string>> = {
  boolean: 'b',
  byte: 'y',
  int32: 'i',
  uint32: 'u',
  int64: 'x',
  uint64: 't',
  string: 's',
  objectpath: 'o',
}

const usecPerSec = 1_000_000

/**
 * The properties of the container's unit that annotations `org.systemd.property.NAME` set, in GVariant text: `true`,
 * `'text'`, `uint64 5`, `['a', 'b']`. `NAMESec`, in seconds, becomes `NAMEUSec`, in microseconds.
 *
 * @throws OciError `ERR_CONFIG_INVALID` an invalid name or value
 * @see runc docs/systemd.md "Auxiliary properties"; GLib "GVariant Text Format"
 */
export function annotatedProperties(annotations: Readonly<Record<string, string>> = {}): readonly UnitProperty[] {
  return Object.entries(annotations)
    .filter(([key]) => key.startsWith(prefix))
    .map(([key, text]) => {
      const pointer = toPointer(['annotations', key])
      const name = key.slice(prefix.length)
      if (!/^[A-Za-z]{3,}$/.test(name)) throw invalid(`"${name}" is not the name of a unit's property`, pointer)
      const [type, value] = parseValue(text.trim()) ?? []
      if (type === undefined || value === undefined) throw invalid(`"${text}" is not the value of a property`, pointer)
      if (!/[a-z]Sec$/.test(name)) return [name, type, value]
      const seconds = typeof value === 'boolean' || Array.isArray(value) ? Number.NaN : Number(value)
      if (!(seconds >= 0)) throw invalid(`"${text}" is not a time in seconds`, pointer)
      return [name.replace(/Sec$/, 'USec'), 't', String(Math.round(seconds * usecPerSec))]
    })
}

const invalid = (message: string, pointer: string): OciError =>
  new OciError('ERR_CONFIG_INVALID', message, { pointer, hint: "write it as GVariant text: true, 'text', uint64 5" })

/** Parses GVariant text to a D-Bus type and a value; undefined if it is invalid. */
function parseValue(text: string): readonly [string, PropertyValue] | undefined {
  const [, word = '', typed = ''] = /^([a-z]+\d*)\s+(\S.*)$/.exec(text) ?? []
  const wanted = typeNames[word]
  if (wanted !== undefined) {
    const value = wanted in ranges ? typed : parseScalar(typed)?.[1]
    return value !== undefined && fits(value, wanted) ? [wanted, value] : undefined
  }
  const list = /^\[(.*)\]$/s.exec(text)?.[1]
  return list === undefined ? parseScalar(text) : parseStrings(list)
}

function parseScalar(text: string): readonly [string, PropertyValue] | undefined {
  if (text === 'true' || text === 'false') return ['b', text === 'true']
  const quoted = /^'((?:[^'\\]|\\['\\])*)'$|^"((?:[^"\\]|\\["\\])*)"$/s.exec(text)
  if (quoted) return ['s', (quoted[1] ?? quoted[2] ?? '').replace(/\\(.)/gs, '$1')]
  return fits(text, 'i') ? ['i', text] : undefined
}

/** Parses a list of strings, the only type of list in common use for properties of units. */
function parseStrings(list: string): readonly [string, PropertyValue] | undefined {
  const pieces = list.trim() === '' ? [] : list.split(/,(?=\s*['"])/)
  const values = pieces.map((piece) => parseScalar(piece.trim()))
  return values.every((value) => value?.[0] === 's') ? ['as', values.map((value) => value?.[1] ?? '')] : undefined
}

/** The least and the greatest value of each type of integer. */
const ranges: Readonly<Record<string, readonly [bigint, bigint]>> = {
  y: [0n, 0xffn],
  i: [-(2n ** 31n), 2n ** 31n - 1n],
  u: [0n, 2n ** 32n - 1n],
  x: [-(2n ** 63n), 2n ** 63n - 1n],
  t: [0n, 2n ** 64n - 1n],
}

function fits(value: PropertyValue, type: string): boolean {
  const [least, most] = ranges[type] ?? []
  if (least === undefined || most === undefined) return typeof value === (type === 'b' ? 'boolean' : 'string')
  if (typeof value !== 'string' || !/^-?\d+$/.test(value)) return false
  return BigInt(value) >= least && BigInt(value) <= most
}
