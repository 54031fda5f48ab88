import type { Mount } from '../../oci/runtime-config.ts'
import { refusal } from './flag.ts'
import { bindMount, parseBindOptions, tmpfsMount } from './mount-values.ts'
import type { Surroundings } from './outside.ts'
import { parseBytes, splitAssignment } from './values.ts'

/** Other names of keys. */
const synonyms: Readonly<Record<string, string>> = {
  src: 'source',
  dst: 'target',
  destination: 'target',
  ro: 'readonly',
}

const keysOf: Readonly<Record<string, readonly string[]>> = {
  bind: ['type', 'source', 'target', 'readonly', 'bind-propagation', 'bind-nonrecursive'],
  tmpfs: ['type', 'target', 'readonly', 'tmpfs-size', 'tmpfs-mode'],
}

/** Reads the value of `--mount`, keys and values in the form of a line of CSV. */
export function parseMount(value: string, around: Surroundings): Mount {
  const keys = keysIn(value)
  const type = keys.get('type')
  if (type === undefined || type === 'volume') {
    throw refusal("a volume is an engine's", 'use type=bind with a directory, or type=tmpfs')
  }
  const known = Object.hasOwn(keysOf, type) ? keysOf[type] : undefined
  if (known === undefined) throw refusal(`there is no type "${type}"`, `use ${Object.keys(keysOf).join(' or ')}`)
  const wrong = [...keys.keys()].find((key) => !known.includes(key))
  if (wrong !== undefined) throw refusal(`type=${type} has no "${wrong}"`, `it has ${known.join(', ')}`)
  const target = keys.get('target') ?? ''
  const access = isSet(keys, 'readonly') ? ['ro'] : []
  if (type === 'tmpfs') return tmpfsMount(target, [...access, ...tmpfsOptions(keys)])
  const bind = isSet(keys, 'bind-nonrecursive') ? ['bind'] : []
  const options = [...access, ...bind, keys.get('bind-propagation') ?? ''].join(',')
  return bindMount({ source: keys.get('source') ?? '', target, ...parseBindOptions(options, around) }, around)
}

/** The target of a value that may have other faults. */
export const destinationOfMount = (value: string): string | undefined => keysIn(value).get('target')

function tmpfsOptions(keys: ReadonlyMap<string, string>): readonly string[] {
  const [size, mode] = [keys.get('tmpfs-size'), keys.get('tmpfs-mode')]
  return [...(size === undefined ? [] : [`size=${parseBytes(size)}`]), ...(mode === undefined ? [] : [`mode=${mode}`])]
}

function isSet(keys: ReadonlyMap<string, string>, key: string): boolean {
  const value = keys.get(key)
  if (value === undefined || value === 'false' || value === '0') return false
  if (value === '' || value === 'true' || value === '1') return true
  throw refusal(`"${key}" must be true or false, not "${value}"`)
}

function keysIn(value: string): ReadonlyMap<string, string> {
  const keys = new Map<string, string>()
  for (const field of fieldsOf(value)) {
    const [name, given = ''] = splitAssignment(field)
    const lower = name.toLowerCase()
    const key = synonyms[lower] ?? lower
    if (keys.has(key)) throw refusal(`"${key}" is given twice`)
    keys.set(key, given)
  }
  return keys
}

/** Fields between commas; one in double quotes may have commas in it, and doubled quotes. */
function fieldsOf(line: string): readonly string[] {
  const field = /("(?:[^"]|"")*"|[^",]*)(,|$)/y
  const fields: string[] = []
  for (;;) {
    const [, text = '', end] = field.exec(line) ?? []
    if (end === undefined) throw refusal('it is no list of KEY=VALUE with commas between')
    fields.push(text.startsWith('"') ? text.slice(1, -1).replaceAll('""', '"') : text)
    if (end === '') return fields
  }
}
