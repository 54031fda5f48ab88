import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parseExactJson } from '../../src/oci/json.ts'
import { runtimeConfig } from '../../src/oci/runtime-config.ts'
import {
  array,
  boolean,
  type Infer,
  int64,
  integer,
  lazy,
  object,
  oneOf,
  optional,
  parseBy,
  record,
  refine,
  type Schema,
  string,
  toPointer,
  withDefault,
} from '../../src/oci/schema.ts'
import { randomFrom } from '../conformance/seccomp-profiles.ts'

const noNul = refine(string, (text) => !text.includes('\0'), 'must not contain a NUL character')
const pair = refine(noNul, (text) => text.indexOf('=') > 0, 'must be NAME=value')
const someWords = refine(array(string), (words) => words.length > 0, 'must have a word')
const range = integer(0, 5)
const wide = int64(0n, 2n ** 64n - 1n)
const long = 'x'.repeat(100)

/** The problems that a schema finds, each as `pointer: message`. */
function problemsOf(schema: Schema<unknown>, value: unknown): readonly string[] {
  const result = parseBy(schema, value)
  return result.kind === 'valid' ? [] : result.problems.map(({ pointer, message }) => `${pointer}: ${message}`)
}

describe('a value that does not match the schema', () => {
  test.each<[string, Schema<unknown>, unknown, ...string[]]>([
    ['a string', string, 5, ': must be a string, not 5'],
    ['a string', string, null, ': must be a string, not null'],
    ['a string', string, undefined, ': is missing'],
    ['a string', string, [], ': must be a string, not []'],
    ['a string', string, [1], ': must be a string, not an array'],
    ['a string', string, { a: 1 }, ': must be a string, not an object'],
    ['a string', string, 2n ** 64n, ': must be a string, not 18446744073709551616'],
    ['a boolean', boolean, 'yes', ': must be a boolean, not "yes"'],
    ['a boolean', boolean, 'a\n"b"', String.raw`: must be a boolean, not "a\n\"b\""`],
    ['a boolean', boolean, long, `: must be a boolean, not "${'x'.repeat(76)}...`],
    ['an integer', range, 7, ': must be an integer from 0 to 5, not 7'],
    ['an integer', range, -1, ': must be an integer from 0 to 5, not -1'],
    ['an integer', range, 1.5, ': must be an integer from 0 to 5, not 1.5'],
    ['an integer', range, '1', ': must be an integer from 0 to 5, not "1"'],
    ['an integer', range, undefined, ': is missing'],
    [
      'a long integer',
      wide,
      2n ** 64n,
      ': must be an integer from 0 to 18446744073709551615, not 18446744073709551616',
    ],
    ['a long integer', wide, 0.5, ': must be an integer from 0 to 18446744073709551615, not 0.5'],
    ['one of several', oneOf('a', 'b'), 'x', ': must be one of a, b, not "x"'],
    ['one of several', oneOf('', 'a', 'b'), false, ': must be one of a, b, not false'],
    ['one alone', oneOf('a'), 'x', ': must be a, not "x"'],
    ['a list', array(string), { length: 0 }, ': must be an array, not an object'],
    [
      'a list',
      array(range),
      [1, null, 9],
      '/1: must be an integer from 0 to 5, not null',
      '/2: must be an integer from 0 to 5, not 9',
    ],
    ['a map', record(string), ['a'], ': must be an object, not an array'],
    ['a map', record(string), { 'a/b~c': 1 }, '/a~1b~0c: must be a string, not 1'],
    ['an object', object({ a: string }), null, ': must be an object, not null'],
    ['an object', object({ a: string }), [], ': must be an object, not []'],
    ['an object', object({ a: string, b: optional(string) }), {}, '/a: is missing'],
    ['an optional value', optional(string), 5, ': must be a string, not 5'],
    ['a value with a default', withDefault(range, 0), 9, ': must be an integer from 0 to 5, not 9'],
    ['a schema that is made later', lazy(() => string), 5, ': must be a string, not 5'],
    ['a string with rules', pair, 'a', ': must be NAME=value, not "a"'],
    ['a string with rules', pair, 5, ': must be a string, not 5'],
    [
      'a string that breaks two rules',
      pair,
      'a\0',
      String.raw`: must not contain a NUL character, not "a\u0000"`,
      String.raw`: must be NAME=value, not "a\u0000"`,
    ],
    ['a list with a rule', someWords, [], ': must have a word, not []'],
    ['a list with a rule, of another type', someWords, '', ': must be an array, not ""'],
  ])('%s: %#', (_name, schema, value, ...problems) => {
    expect(problemsOf(schema, value)).toEqual(problems)
  })

  test('gets all its problems reported in the order of the schema', () => {
    const schema = object({ first: string, list: array(object({ x: range, y: string })), last: boolean })
    expect(problemsOf(schema, { last: 1, list: [{ y: 2, x: 3 }, { x: 9 }, 4] })).toEqual([
      '/first: is missing',
      '/list/0/y: must be a string, not 2',
      '/list/1/x: must be an integer from 0 to 5, not 9',
      '/list/1/y: is missing',
      '/list/2: must be an object, not 4',
      '/last: must be a boolean, not 1',
    ])
  })
})

describe('names', () => {
  const schema = object({ maskedPaths: optional(array(string)), kind: optional(string) })

  test.each(['maskedPaths', 'MASKEDPATHS', 'maskedpaths', 'maſkedPathſ', 'mas\u212aedPaths'])(
    'are taken as Go takes them: %s',
    (name) => {
      expect(parseBy(schema, { [name]: ['/a'] })).toEqual({
        kind: 'valid',
        value: { maskedPaths: ['/a'] },
        unknown: [],
      })
    },
  )

  test('with other letters differ, also if their capitals are the same in JavaScript', () => {
    const names = ['kınd', 'kİnd', 'masßedPaths', 'kind ']
    const unknown = names.map((name) => `/${name}`)
    expect(parseBy(schema, Object.fromEntries(names.map((name) => [name, 'x'])))).toEqual({
      kind: 'valid',
      value: {},
      unknown,
    })
  })

  test('in two spellings: the later one wins, and its problems have the spelling of the schema', () => {
    expect(parseBy(schema, { Kind: 'a', kind: 'b' })).toMatchObject({ value: { kind: 'b' } })
    expect(parseBy(schema, { kind: 'a', Kind: 'b' })).toMatchObject({ value: { kind: 'b' } })
    expect(problemsOf(schema, { kind: 'a', KIND: 1 })).toEqual(['/kind: must be a string, not 1'])
  })

  test('that the schema does not define are left out and reported at every depth', () => {
    const deep = object({ list: array(schema), map: record(schema) })
    const value = { list: [{ kind: 'x' }, { bogus: 1 }], map: { 'a/b': { Bogus: { kind: 1 } }, kind: {} }, more: 1 }
    expect(parseBy(deep, value)).toEqual({
      kind: 'valid',
      value: { list: [{ kind: 'x' }, {}], map: { 'a/b': {}, kind: {} } },
      unknown: ['/more', '/list/1/bogus', '/map/a~1b/Bogus'],
    })
  })

  test('such as __proto__ are ordinary names', () => {
    const text = '{"__proto__": {"kind": "x"}, "map": {"__proto__": {"kind": "y"}, "b": {"__proto__": 1}}}'
    const result = parseBy(object({ map: record(schema) }), JSON.parse(text))
    if (result.kind === 'invalid') throw new Error('is invalid')
    expect(result.unknown).toEqual(['/__proto__', '/map/b/__proto__'])
    expect(JSON.stringify(result.value)).toBe('{"map":{"__proto__":{"kind":"y"},"b":{}}}')
    expect(Object.getPrototypeOf(result.value.map)).toBe(Object.prototype)
    expect(problemsOf(record(string), JSON.parse('{"__proto__": 1}'))).toEqual(['/__proto__: must be a string, not 1'])
  })
})

test('a default is completed, and is a new object each time', () => {
  const schema = object({ user: withDefault(object({ uid: withDefault(range, 3) }), {}) })
  const [one, other] = [parseBy(schema, {}), parseBy(schema, {})]
  if (one.kind === 'invalid' || other.kind === 'invalid') throw new Error('is invalid')
  expect(one.value).toEqual({ user: { uid: 3 } })
  expect(one.value.user).not.toBe(other.value.user)
})

test('types are inferred from schemas', () => {
  const schema = object({
    a: oneOf('x', 'y'),
    b: optional(array(string)),
    c: record(wide),
    d: withDefault(range, 0),
  })
  const value: Infer<typeof schema> = { a: 'x', c: { z: 1n }, d: 1 }
  const withList: Infer<typeof schema> = { ...value, b: ['s'] }
  expect(parseBy(schema, withList)).toEqual({ kind: 'valid', value: withList, unknown: [] })
  // @ts-expect-error: "z" is none of them
  const other: Infer<typeof schema> = { ...value, a: 'z' }
  // @ts-expect-error: c may not be absent
  const without: Infer<typeof schema> = { a: 'x', d: 1 }
  // @ts-expect-error: a list of strings
  const numbers: Infer<typeof schema> = { ...value, b: [1] }
  expect([other, without, numbers].map((one) => parseBy(schema, one).kind)).toEqual(['invalid', 'invalid', 'invalid'])
})

const programs = join(import.meta.dirname, '../../fixtures/programs')
const files = readdirSync(programs, { recursive: true, encoding: 'utf8' }).filter((file) =>
  file.endsWith('config.json'),
)

interface Place {
  readonly parent: Record<PropertyKey, unknown>
  readonly key: string
  readonly path: readonly string[]
}

function placesIn(value: unknown, at: readonly string[] = []): readonly Place[] {
  if (typeof value !== 'object' || value === null) return []
  const parent = value as Record<PropertyKey, unknown>
  return Object.keys(parent).flatMap((key) => {
    const path = [...at, key]
    return [{ parent, key, path }, ...placesIn(parent[key], path)]
  })
}

const odd: readonly unknown[] = [
  ...[undefined, null, true, false, '', '/', 'x', 'a=b', '=', 'a\0b', '2MB', 'SCMP_ACT_ALLOW', 'network'],
  ...[-1, 0, 1, 1.5, -(2 ** 31), 2 ** 31, 2 ** 32 - 2, 2 ** 32 - 1, 2 ** 32, 2n ** 63n, 2n ** 64n - 1n, 2n ** 64n],
  ...[[], {}, [null], ['x'], [{}], { x: 1 }, { path: '/x' }, JSON.parse('{ "__proto__": "x" }')],
]

/** Values that are not objects, by pointer. */
const scalarsOf = (value: unknown): readonly (readonly [pointer: string, value: unknown])[] =>
  placesIn(value)
    .map(({ parent, key, path }) => [toPointer(path), parent[key]] as const)
    .filter(([, one]) => one !== undefined && (typeof one !== 'object' || one === null))

/** The pointers at which the schema of config.json has a default. */
const defaults = /^\/process\/(user\/[ug]id|ioPriority\/priority)$|^\/linux\/resources\/devices\/\d+\/allow$/

const isAtOrBelow = (pointer: string, place: string): boolean => pointer === place || pointer.startsWith(`${place}/`)

describe('a config.json with one value changed', () => {
  test.each(files)('%s has problems only at that value, or is read unchanged', (file) => {
    const text = readFileSync(join(programs, file), 'utf8')
    expect(parseBy(runtimeConfig, parseExactJson(text))).toMatchObject({ kind: 'valid' })
    const random = randomFrom(file.length * 7919)
    let invalid = 0
    for (let round = 0; round < 400; round++) {
      const document = parseExactJson(text)
      const places = placesIn(document)
      const { parent, key, path } = places[random(places.length)] as Place
      const name = random(6) === 0 && !Array.isArray(parent) ? 'extra' : key
      parent[name] = structuredClone(odd[random(odd.length)])
      const before = structuredClone(document)
      const changed = toPointer([...path.slice(0, -1), name])
      const result = parseBy(runtimeConfig, document)
      expect(document).toEqual(before)
      if (result.kind === 'invalid') {
        invalid++
        expect(result.problems.length).toBeGreaterThan(0)
        for (const { pointer, message } of result.problems) {
          expect(isAtOrBelow(pointer, changed), `${pointer}: ${message}`).toBe(true)
          const found = placesIn(document).find((place) => toPointer(place.path) === pointer)
          expect(found?.parent[found.key] === undefined, pointer).toBe(message === 'is missing')
        }
        continue
      }
      expect(result.unknown.filter((pointer) => !isAtOrBelow(pointer, changed))).toEqual([])
      expect(parseBy(runtimeConfig, result.value)).toEqual({ ...result, unknown: [] })
      const given = scalarsOf(document).filter(([pointer]) => !result.unknown.some((one) => isAtOrBelow(pointer, one)))
      const pointers = new Set(given.map(([pointer]) => pointer))
      const made = scalarsOf(result.value)
      expect(new Map(made.filter(([pointer]) => pointers.has(pointer)))).toEqual(new Map(given))
      expect(made.filter(([pointer]) => !pointers.has(pointer) && !defaults.test(pointer))).toEqual([])
    }
    expect(invalid).toBeGreaterThan(40)
    expect(invalid).toBeLessThan(360)
  })
})
