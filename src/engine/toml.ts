import { parse as parseToml, TomlError } from 'smol-toml'
import { OciError } from '../errors.ts'

export type TomlTable = Readonly<Record<string, unknown>>

/** Parses a configuration in TOML. @throws OciError `ERR_ENGINE_CONFIG` */
export function parseTable(text: string, what: string): TomlTable {
  try {
    return parseToml(text)
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause
    throw new OciError('ERR_ENGINE_CONFIG', `${what} is not TOML: ${cause.message.split('\n', 1)[0]}`, { cause })
  }
}

/** The table at a path; undefined where there is none. */
export function tableAt(table: TomlTable, path: readonly string[]): TomlTable | undefined {
  let found: unknown = table
  for (const key of path) found = isTable(found) ? found[key] : undefined
  return isTable(found) ? found : undefined
}

export const isTable = (value: unknown): value is TomlTable =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)

/** A copy of a table with a value at a path. */
export function withValue(table: TomlTable, path: readonly string[], value: unknown): TomlTable {
  const [key = '', ...rest] = path
  const below = isTable(table[key]) ? table[key] : {}
  return { ...table, [key]: rest.length === 0 ? value : withValue(below, rest, value) }
}

/** True when two values of TOML are the same. */
export function isSame(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, i) => isSame(item, b[i]))
  if (!isTable(a) || !isTable(b)) return a instanceof Date && b instanceof Date ? +a === +b : Object.is(a, b)
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && isSame(a[key], b[key]))
}

/** A string as TOML writes it. */
export const tomlString = (text: string): string => JSON.stringify(text)
