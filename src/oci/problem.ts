import { type ErrorCode, OciError } from '../errors.ts'

/** A fault of the value at a JSON pointer (RFC 6901), as in "must be a string, not 5". */
export interface Problem {
  readonly pointer: string
  readonly message: string
}

/** The name that errors have for a document, and the code these carry. */
export interface DocumentFacts {
  /** As in `manifest sha256:1234... of alpine:3.14`. */
  readonly what: string
  readonly code: ErrorCode
}

/** The message for a value that is not as expected; `expectation` reads like "must be a string". */
export function describeProblem(expectation: string, value: unknown): string {
  return value === undefined ? 'is missing' : `${expectation}, not ${shorten(value)}`
}

/** The expectation of a value that is one of several. The empty one goes without saying. */
export function describeChoice(values: readonly unknown[]): string {
  return `must be ${values.length === 1 ? '' : 'one of '}${values.map(String).filter(Boolean).join(', ')}`
}

/** One error for all problems of a document, each on a line of its own; its pointer is the first one's. */
export function invalidDocument(problems: readonly Problem[], { what, code }: DocumentFacts): OciError {
  const list = problems.map(({ pointer, message }) => `${pointer || '/'}: ${message}`)
  const text = list.length === 1 ? list[0] : `${list.length} problems\n  ${list.join('\n  ')}`
  return new OciError(code, `${what} is invalid: ${text}`, { pointer: problems[0]?.pointer })
}

/** A value as errors quote it. */
function shorten(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? '[]' : 'an array'
  if (value === null) return 'null'
  if (typeof value === 'object') return 'an object'
  const shown = typeof value === 'bigint' ? String(value) : JSON.stringify(value)
  return shown.length > 80 ? `${shown.slice(0, 77)}...` : shown
}
