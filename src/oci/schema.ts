import * as z from 'zod/mini'
import { type ErrorCode, OciError } from '../errors.ts'

// A schema is used once per process: compiling it to a function, zod's default, costs more than it saves.
z.config({ jitless: true })

/** How a document is named in errors, and the code these carry. */
export interface DocumentFacts {
  /** As in `manifest sha256:1234... of alpine:3.14`. */
  readonly what: string
  readonly code: ErrorCode
}

/**
 * Decodes a JSON document strictly as UTF-8. `null` members are dropped: the Go tools of this field write it for absent.
 *
 * @throws OciError with the document's code when it is not UTF-8 or not JSON
 */
export function parseJson(content: Uint8Array | string, { what, code }: DocumentFacts): unknown {
  try {
    const text = typeof content === 'string' ? content : new TextDecoder('utf-8', { fatal: true }).decode(content)
    return JSON.parse(text, function (this: unknown, _key, value: unknown) {
      return value === null && !Array.isArray(this) ? undefined : value
    })
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new OciError(code, `${what} is not JSON: ${reason}`, { cause })
  }
}

/**
 * Checks a value against a schema; the error lists every problem, each with its JSON pointer.
 *
 * @returns what the schema makes of the value, unknown properties dropped or kept as the schema says
 * @throws OciError with the document's code; `pointer` is the first problem's
 */
export function check<T>(schema: z.ZodMiniType<T>, value: unknown, { what, code }: DocumentFacts): T {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const problems = problemsOf(result.error.issues, value)
  const list = problems.map(({ pointer, message }) => `${pointer || '/'}: ${message}`)
  const text = list.length === 1 ? list[0] : `${list.length} problems\n  ${list.join('\n  ')}`
  throw new OciError(code, `${what} is invalid: ${text}`, { pointer: problems[0]?.pointer })
}

/**
 * Gives the members of objects the names that the schema has for them, whatever their case; of two spellings the later
 * one wins.
 *
 * @see https://pkg.go.dev/encoding/json#Unmarshal "preferring exact matches but also accepting case-insensitive matches"
 */
export function foldNames(schema: unknown, value: unknown): unknown {
  if (schema instanceof z.ZodMiniOptional || schema instanceof z.ZodMiniDefault)
    return foldNames(schema.def.innerType, value)
  if (schema instanceof z.ZodMiniLazy) return foldNames(schema._zod.innerType, value)
  if (typeof value !== 'object' || value === null) return value
  if (schema instanceof z.ZodMiniArray && Array.isArray(value)) {
    return value.map((item) => foldNames(schema.def.element, item))
  }
  if (schema instanceof z.ZodMiniRecord) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, foldNames(schema.def.valueType, item)]))
  }
  if (!(schema instanceof z.ZodMiniObject) || Array.isArray(value)) return value
  const { shape } = schema.def
  const names = new Map(Object.keys(shape).map((name) => [name.toLowerCase(), name]))
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => {
      const name = names.get(key.toLowerCase()) ?? key
      return [name, foldNames(shape[name], item)]
    }),
  )
}

/** RFC 6901 pointer of a path of keys. */
export function toPointer(path: readonly PropertyKey[]): string {
  return path.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}

/** What is wrong with the value at a JSON pointer. */
export interface Problem {
  readonly pointer: string
  readonly message: string
}

/** The issues that a schema found in `value`, in the words of our errors. */
export function problemsOf(issues: readonly z.core.$ZodIssue[], value: unknown): Problem[] {
  return issues.map((issue) => ({
    pointer: toPointer(issue.path),
    message: describeIssue(issue, issue.path.reduce(member, value)),
  }))
}

/** The member of an object or list, undefined where there is none. */
export function member(value: unknown, key: PropertyKey): unknown {
  return typeof value === 'object' && value !== null ? Object.getOwnPropertyDescriptor(value, key)?.value : undefined
}

function describeIssue(issue: z.core.$ZodIssue, value: unknown): string {
  if (value === undefined) return 'is missing'
  if (issue.code === 'unrecognized_keys') return `has the unknown member ${issue.keys.map(quote).join(', ')}`
  const shown = shorten(value)
  if (issue.code === 'invalid_type') return `must be ${article(issue.expected)}, not ${shown}`
  if (issue.code === 'invalid_value') {
    return `must be ${issue.values.length === 1 ? '' : 'one of '}${issue.values.map(String).filter(Boolean).join(', ')}, not ${shown}`
  }
  return `${issue.message}, not ${shown}`
}

function article(expected: string): string {
  if (expected === 'record') return 'an object'
  return /^[aio]/.test(expected) ? `an ${expected}` : `a ${expected}`
}

const quote = (text: string): string => JSON.stringify(text)

/** A value as errors quote it. */
function shorten(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? '[]' : 'an array'
  if (value === null) return 'null'
  if (typeof value === 'object') return 'an object'
  const shown = typeof value === 'bigint' ? String(value) : JSON.stringify(value)
  return shown.length > 80 ? `${shown.slice(0, 77)}...` : shown
}
