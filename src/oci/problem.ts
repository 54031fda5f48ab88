import { type ErrorCode, OciError } from '../errors.ts'

/** A fault of the value at a JSON pointer (RFC 6901), as in "must be a string, not 5". */
export interface Problem {
  readonly pointer: string
  readonly message: string
}

/** The name of a document in errors, and the code of these errors. */
export interface DocumentFacts {
  /** The name, as in `manifest sha256:1234... of alpine:3.14`. */
  readonly what: string
  readonly code: ErrorCode
  /** True to read bytes that are not UTF-8 as U+FFFD, as Go's decoder does. Default: they are an error. */
  readonly replacesBytes?: boolean
}

/** The message for an invalid value. @param expectation reads like "must be a string" */
export function describeProblem(expectation: string, value: unknown): string {
  return value === undefined ? 'is missing' : `${expectation}, not ${shorten(value)}`
}

/** The expectation for a value out of several. The empty string is not listed. */
export function describeChoice(values: readonly unknown[]): string {
  return `must be ${values.length === 1 ? '' : 'one of '}${values.map(String).filter(Boolean).join(', ')}`
}

/** The error for all problems of a document, each on its own line; its pointer is that of the first. */
export function invalidDocument(problems: readonly Problem[], { what, code }: DocumentFacts): OciError {
  const list = problems.map(({ pointer, message }) => `${pointer || '/'}: ${message}`)
  const text = list.length === 1 ? list[0] : `${list.length} problems\n  ${list.join('\n  ')}`
  return new OciError(code, `${what} is invalid: ${text}`, { pointer: problems[0]?.pointer })
}

/** Formats a value for an error message, at most 80 characters. */
function shorten(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? '[]' : 'an array'
  if (value === null) return 'null'
  if (typeof value === 'object') return 'an object'
  const shown = typeof value === 'bigint' ? String(value) : JSON.stringify(value)
  return shown.length > 80 ? `${shown.slice(0, 77)}...` : shown
}
