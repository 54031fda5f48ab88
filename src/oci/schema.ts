import { isJsonObject, type JsonObject } from './json.ts'
/**
 * Schemas of config.json: the form of a JSON value, the TypeScript type of the parsed value, and the messages for a value
 * of another form.
 *
 * Image documents are checked by zod (document.ts). For config.json zod is too slow: each command that compiles a program
 * loads the schema, uses it once and ends. zod took 5.8 ms for the config.json of `spec` and 8.1 ms for one of Docker, of 32
 * and 39 ms for the whole `run`; this module takes 1.4 and 1.9 ms. The same pass accepts names in any case, as Go's decoder
 * does, and finds the members that the schema does not define.
 */
import { describeChoice, describeProblem, type Problem } from './problem.ts'

/** The form of a JSON value. `T` is the type to which `parseBy` parses such a value. */
export interface Schema<out T> {
  readonly form: Form
  /** No schema has this property: it carries the type for `Infer`. */
  readonly infers?: () => T
}

/** The schema of a member that may be absent. */
export interface OptionalSchema<out T> extends Schema<T | undefined> {
  readonly form: OptionalForm
}

/** The type of the values of a schema, or of a schema that a function makes. */
export type Infer<S> = S extends Schema<infer T> ? T : S extends () => Schema<infer T> ? T : never

/** A schema as data. */
export type Form =
  | SimpleForm
  | RefinedForm
  | OptionalForm
  | DefaultForm
  | LazyForm
  | ArrayForm
  | RecordForm
  | ObjectForm

interface SimpleForm {
  readonly kind: 'simple'
  readonly isValid: (value: unknown) => boolean
  readonly expectation: string
}
interface RefinedForm {
  readonly kind: 'refined'
  readonly inner: Schema<unknown>
  readonly rules: readonly Rule<unknown>[]
}
interface OptionalForm {
  readonly kind: 'optional'
  readonly inner: Schema<unknown>
}
interface DefaultForm {
  readonly kind: 'default'
  readonly inner: Schema<unknown>
  readonly initial: unknown
}
interface LazyForm {
  readonly kind: 'lazy'
  readonly inner: () => Schema<unknown>
}
interface ArrayForm {
  readonly kind: 'array'
  readonly item: Schema<unknown>
}
interface RecordForm {
  readonly kind: 'record'
  readonly item: Schema<unknown>
}
interface ObjectForm {
  readonly kind: 'object'
  /** In an object without a prototype, which has no other names. */
  readonly members: Members
  readonly entries: readonly Member[]
  /** The names of the members by their folded form. */
  readonly names: () => ReadonlyMap<string, string>
}

/**
 * A condition on values of the right type. `isValid` is a method, whose parameters TypeScript compares bivariantly, so that
 * a `Rule<string>` is a `Rule<unknown>`.
 */
interface Rule<T> {
  isValid(value: T): boolean
  readonly expectation: string
}

type Members = Readonly<Record<string, Schema<unknown>>>

interface Member {
  readonly name: string
  readonly schema: Schema<unknown>
  /** True when an absent value stays absent, and nothing is to be read. */
  readonly isOptional: boolean
}

/** The type of an object with these members; those with an `OptionalSchema` may be absent. */
export type ObjectOf<M extends Members> = {
  readonly [K in keyof M as M[K] extends OptionalSchema<unknown> ? never : K]: Infer<M[K]>
} & {
  readonly [K in keyof M as M[K] extends OptionalSchema<unknown> ? K : never]?: Infer<M[K]>
}

export const string: Schema<string> = simple((value) => typeof value === 'string', 'must be a string')

export const boolean: Schema<boolean> = simple((value) => typeof value === 'boolean', 'must be a boolean')

/** An integer between two bounds, inclusive, that are safe integers. */
export function integer(min: number, max: number): Schema<number> {
  const isInRange = (value: unknown): boolean =>
    typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max
  return simple(isInRange, `must be an integer from ${min} to ${max}`)
}

/** An integer of up to 64 bits, in the form that `parseExactJson` returns. */
export function int64(min: bigint, max: bigint): Schema<number | bigint> {
  // As bigints: quickjs-ng 0.16 compares negative numbers with them the wrong way round.
  const isInRange = (value: unknown): boolean =>
    (typeof value === 'bigint' || (typeof value === 'number' && Number.isInteger(value))) &&
    BigInt(value) >= min &&
    BigInt(value) <= max
  return simple(isInRange, `must be an integer from ${min} to ${max}`)
}

/** One of these strings. */
export function oneOf<const T extends string>(...values: readonly T[]): Schema<T> {
  return simple((value) => values.some((one) => one === value), describeChoice(values))
}

/**
 * Adds a condition to a schema. Each condition that a value does not meet is a problem; a value of the wrong type is only
 * one problem.
 * @param expectation reads like "must not be empty"
 */
export function refine<T>(schema: Schema<T>, isValid: (value: T) => boolean, expectation: string): Schema<T> {
  const { inner, rules } = schema.form.kind === 'refined' ? schema.form : { inner: schema, rules: [] }
  return { form: { kind: 'refined', inner, rules: [...rules, { isValid, expectation }] } }
}

/** A member of an object that may be absent. */
export function optional<T>(inner: Schema<T>): OptionalSchema<T> {
  return { form: { kind: 'optional', inner } }
}

/** A schema with a default: an absent value is parsed as `initial`, with the same checks. */
export function withDefault<T>(inner: Schema<T>, initial: unknown): Schema<T> {
  return { form: { kind: 'default', inner, initial } }
}

/** A schema that is made when the first value is parsed by it, for members that most documents lack. */
export function lazy<T>(make: () => Schema<T>): Schema<T> {
  return { form: { kind: 'lazy', inner: once(make) } }
}

export function array<T>(item: Schema<T>): Schema<readonly T[]> {
  return { form: { kind: 'array', item } }
}

/** An object whose names are data; `__proto__` is a name like any other. */
export function record<T>(item: Schema<T>): Schema<Readonly<Record<string, T>>> {
  return { form: { kind: 'record', item } }
}

/** An object with these members; others are left out and reported as unknown. */
export function object<M extends Members>(members: M): Schema<ObjectOf<M>> {
  const names = once(() => new Map(Object.keys(members).map((name) => [foldName(name), name])))
  const entries = Object.entries(members).map(([name, schema]) => {
    return { name, schema, isOptional: schema.form.kind === 'optional' }
  })
  return { form: { kind: 'object', members: Object.assign(Object.create(null), members), entries, names } }
}

function simple<T>(isValid: (value: unknown) => boolean, expectation: string): Schema<T> {
  return { form: { kind: 'simple', isValid, expectation } }
}

function once<T>(make: () => T): () => T {
  let made: T | undefined
  return () => {
    made ??= make()
    return made
  }
}

/** The result of `parseBy`; `unknown` has the pointers of the members that the schema does not define. */
export type Parsed<T> =
  | { readonly kind: 'valid'; readonly value: T; readonly unknown: readonly string[] }
  | { readonly kind: 'invalid'; readonly problems: readonly Problem[] }

/**
 * Parses a decoded JSON document in one pass.
 *
 * It accepts names of members in any case; the later of two spellings wins. Problems are in the order of the schema's
 * members, each with its pointer in the schema's spelling.
 * @returns the value in new objects, and the pointers of the members that the schema does not define; or every problem
 * @see https://pkg.go.dev/encoding/json#Unmarshal "preferring exact matches but also accepting case-insensitive matches"
 */
export function parseBy<T>(schema: Schema<T>, document: unknown): Parsed<T> {
  const findings: Finding[] = []
  const value = read(schema, document, findings)
  if (value !== invalid)
    return { kind: 'valid', value: value as T, unknown: findings.map(({ path }) => toPointer(path)) }
  const problems = findings.flatMap(({ path, message }) =>
    message === undefined ? [] : [{ pointer: toPointer(path), message }],
  )
  return { kind: 'invalid', problems }
}

/** Formats a path of keys as an RFC 6901 pointer. */
export function toPointer(path: readonly PropertyKey[]): string {
  return path.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}

const invalid: unique symbol = Symbol('invalid')

/** A problem or, without a message, an unknown member. Each level of `read` prepends its key to the path. */
interface Finding {
  readonly path: PropertyKey[]
  readonly message: string | undefined
}

/** Parses a value by a schema. Returns the result, or `invalid` after adding at least one finding with a message. */
function read({ form }: Schema<unknown>, value: unknown, findings: Finding[]): unknown {
  switch (form.kind) {
    case 'simple':
      return form.isValid(value) ? value : refuse(form.expectation, value, findings)
    case 'refined':
      return readRefined(form, value, findings)
    case 'optional':
      return value === undefined ? undefined : read(form.inner, value, findings)
    case 'default':
      return read(form.inner, value === undefined ? form.initial : value, findings)
    case 'lazy':
      return read(form.inner(), value, findings)
    case 'array':
      return readArray(form, value, findings)
    case 'record':
      return readRecord(form, value, findings)
    case 'object':
      return readObject(form, value, findings)
  }
}

function refuse(expectation: string, value: unknown, findings: Finding[]): typeof invalid {
  findings.push({ path: [], message: describeProblem(expectation, value) })
  return invalid
}

function readRefined({ inner, rules }: RefinedForm, value: unknown, findings: Finding[]): unknown {
  const made = read(inner, value, findings)
  if (made === invalid) return invalid
  let isValid = true
  for (let index = 0; index < rules.length; index++) {
    const rule = rules[index] as Rule<unknown>
    if (rule.isValid(made)) continue
    refuse(rule.expectation, value, findings)
    isValid = false
  }
  return isValid ? made : invalid
}

function readArray({ item }: ArrayForm, value: unknown, findings: Finding[]): unknown {
  if (!Array.isArray(value)) return refuse('must be an array', value, findings)
  const { form } = item
  if (form.kind === 'simple' && areValid(form, value)) return value.slice()
  if (form.kind === 'refined' && form.inner.form.kind === 'simple') {
    if (areValid(form.inner.form, value) && form.rules.every((rule) => areValid(rule, value))) return value.slice()
  }
  const made = value.map((one: unknown, index) => readMember(item, one, index, findings))
  return made.includes(invalid) ? invalid : made
}

/** True when all values are of a form of which most lists are: hundreds of names, say. */
function areValid(form: SimpleForm | Rule<unknown>, values: readonly unknown[]): boolean {
  for (let index = 0; index < values.length; index++) if (!form.isValid(values[index])) return false
  return true
}

function readRecord({ item }: RecordForm, value: unknown, findings: Finding[]): unknown {
  if (!isJsonObject(value)) return refuse('must be an object', value, findings)
  const made = Object.entries(value).map(([name, one]) => [name, readMember(item, one, name, findings)] as const)
  return made.some(([, one]) => one === invalid) ? invalid : Object.fromEntries(made)
}

function readObject(form: ObjectForm, value: unknown, findings: Finding[]): unknown {
  if (!isJsonObject(value)) return refuse('must be an object', value, findings)
  const given = withSpecNames(form, value, findings)
  const made: Record<string, unknown> = {}
  let isValid = true
  for (let index = 0; index < form.entries.length; index++) {
    const { name, schema, isOptional } = form.entries[index] as Member
    const member = given[name]
    if (isOptional && member === undefined) continue
    const one = readMember(schema, member, name, findings)
    if (one === invalid) isValid = false
    else if (one !== undefined) made[name] = one
  }
  return isValid ? made : invalid
}

function readMember(schema: Schema<unknown>, value: unknown, key: PropertyKey, findings: Finding[]): unknown {
  const before = findings.length
  const made = read(schema, value, findings)
  for (let index = before; index < findings.length; index++) findings[index]?.path.unshift(key)
  return made
}

/** Renames the members of an object to the schema's names; unknown ones become findings. */
function withSpecNames({ members, names }: ObjectForm, value: JsonObject, findings: Finding[]): JsonObject {
  const given = Object.keys(value)
  if (areMembers(members, given)) return value
  const named: Record<string, unknown> = {}
  for (const key of given) {
    const name = members[key] === undefined ? names().get(foldName(key)) : key
    if (name === undefined) findings.push({ path: [key], message: undefined })
    else named[name] = value[key]
  }
  return named
}

function areMembers(members: Members, names: readonly string[]): boolean {
  for (let index = 0; index < names.length; index++) if (members[names[index] ?? ''] === undefined) return false
  return true
}

/** Folds the case of a name as Go does, for which "ſ" equals s and the Kelvin sign equals k (`toLowerCase` does the latter). */
const foldName = (name: string): string => name.toLowerCase().replaceAll('ſ', 's')
