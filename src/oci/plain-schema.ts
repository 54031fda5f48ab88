/**
 * What stands in for zod/mini where a program is compiled once and the process ends (.ci/bundle.mjs, src/cli/compiler.ts): the
 * functions of it that runtime-config-schema.ts calls, for schemas that know valid from invalid, and not why.
 *
 * zod's take 6 ms to be made and used once, which is a tenth of a `run`; these take half of one. A config.json that is
 * invalid here goes to the command line, where zod has the words for it. What is valid comes out as zod gives it.
 */

const invalid: unique symbol = Symbol('invalid')

type Check = (value: unknown) => boolean
type Members = Readonly<Record<string, unknown>>

type Result =
  | { readonly success: true; readonly data: unknown }
  | { readonly success: false; readonly error: { readonly issues: readonly never[] } }

/** Fields are declared alone: what each of a hundred schemas would define first takes longer than what is assigned to it. */
abstract class Schema {
  declare checks: readonly Check[]

  /** What comes of a value, its checks aside; or `invalid`. */
  abstract read(value: unknown): unknown

  /** The same with more checks. */
  check(...checks: readonly Check[]): this {
    const copy: this = Object.assign(Object.create(Object.getPrototypeOf(this)), this)
    copy.checks = [...this.checks, ...checks]
    return copy
  }

  take(value: unknown): unknown {
    const taken = this.read(value)
    if (taken === invalid || this.checks.length === 0) return taken
    return this.checks.every((check) => check(taken)) ? taken : invalid
  }

  safeParse(value: unknown): Result {
    const data = this.take(value)
    return data === invalid ? { success: false, error: { issues: [] } } : { success: true, data }
  }
}

Schema.prototype.checks = []

class Simple extends Schema {
  declare readonly isValid: Check
  constructor(isValid: Check) {
    super()
    this.isValid = isValid
  }
  read(value: unknown): unknown {
    return this.isValid(value) ? value : invalid
  }
}

export class ZodMiniOptional extends Schema {
  declare readonly def: { readonly innerType: Schema }
  constructor(innerType: Schema) {
    super()
    this.def = { innerType }
  }
  read(value: unknown): unknown {
    return value === undefined ? undefined : this.def.innerType.take(value)
  }
}

export class ZodMiniDefault extends Schema {
  declare readonly def: { readonly innerType: Schema; readonly initial: unknown }
  constructor(innerType: Schema, initial: unknown) {
    super()
    this.def = { innerType, initial }
  }
  read(value: unknown): unknown {
    return value === undefined ? this.def.initial : this.def.innerType.take(value)
  }
}

class Made {
  declare private readonly make: () => Schema
  declare private made: Schema | undefined
  constructor(make: () => Schema) {
    this.make = make
  }
  get innerType(): Schema {
    this.made ??= this.make()
    return this.made
  }
}

export class ZodMiniLazy extends Schema {
  declare readonly _zod: Made
  constructor(make: () => Schema) {
    super()
    this._zod = new Made(make)
  }
  read(value: unknown): unknown {
    return this._zod.innerType.take(value)
  }
}

export class ZodMiniArray extends Schema {
  declare readonly def: { readonly element: Schema }
  constructor(element: Schema) {
    super()
    this.def = { element }
  }
  read(value: unknown): unknown {
    if (!Array.isArray(value)) return invalid
    const taken: unknown[] = []
    for (const item of value) {
      const one = this.def.element.take(item)
      if (one === invalid) return invalid
      taken.push(one)
    }
    return taken
  }
}

export class ZodMiniObject extends Schema {
  declare readonly def: { readonly shape: Readonly<Record<string, Schema>> }
  constructor(shape: Readonly<Record<string, Schema>>) {
    super()
    this.def = { shape }
  }
  read(value: unknown): unknown {
    if (!isObject(value)) return invalid
    const taken: Record<string, unknown> = {}
    for (const [name, schema] of Object.entries(this.def.shape)) {
      const one = schema.take(value[name])
      if (one === invalid) return invalid
      if (one !== undefined || name in value) taken[name] = one
    }
    return taken
  }
}

export class ZodMiniRecord extends Schema {
  declare readonly def: { readonly valueType: Schema }
  constructor(valueType: Schema) {
    super()
    this.def = { valueType }
  }
  read(value: unknown): unknown {
    if (!isObject(value) || Object.hasOwn(value, '__proto__')) return invalid
    const taken: Record<string, unknown> = {}
    for (const [name, item] of Object.entries(value)) {
      const one = this.def.valueType.take(item)
      if (one === invalid) return invalid
      taken[name] = one
    }
    return taken
  }
}

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const isText: Check = (value) => typeof value === 'string'
const isBoolean: Check = (value) => typeof value === 'boolean'

const string = (): Schema => new Simple(isText)
const boolean = (): Schema => new Simple(isBoolean)
const custom = (isValid: Check): Schema => new Simple(isValid)
const oneOf = (values: readonly unknown[]): Schema => new Simple((value) => values.includes(value))
const optional = (inner: Schema): Schema => new ZodMiniOptional(inner)
const _default = (inner: Schema, initial: unknown): Schema => new ZodMiniDefault(inner, initial)
const lazy = (make: () => Schema): Schema => new ZodMiniLazy(make)
const array = (element: Schema): Schema => new ZodMiniArray(element)
const object = (shape: Readonly<Record<string, Schema>>): Schema => new ZodMiniObject(shape)
const record = (_key: Schema, value: Schema): Schema => new ZodMiniRecord(value)
const refine = (isValid: Check): Check => isValid
const minLength =
  (least: number): Check =>
  (value) =>
    (value as { readonly length: number }).length >= least
const regex =
  (pattern: RegExp): Check =>
  (value) =>
    pattern.test(String(value))
const config = (): void => undefined

export {
  _default,
  array,
  boolean,
  config,
  custom,
  lazy,
  minLength,
  object,
  oneOf as enum,
  optional,
  record,
  refine,
  regex,
  string,
}
