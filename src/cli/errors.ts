import { type ErrorCode, isSystemError, OciError } from '../errors.ts'
import { printable } from '../text.ts'
import { nested } from './columns.ts'

/** The error as one line: what failed, from where, and what to do. */
export function describeInOneLine(error: unknown): string {
  if (!(error instanceof OciError)) return describeBug(error)
  const place = placeOf(error)
  const hint = error.hint === undefined ? '' : `; ${error.hint}`
  return `${error.message}${place === undefined ? '' : ` (from ${place})`}${hint}`
}

/** The error as people read it, a line for each of message, place and hint. */
export function describeInLines(error: unknown): string {
  if (!(error instanceof OciError)) return `error: ${describeBug(error)}\n`
  const place = placeOf(error)
  const lines = [
    `error: ${nested(error.message)}\n`,
    ...(place === undefined ? [] : [`  from: ${printable(place)}\n`]),
    ...(error.hint === undefined ? [] : [`  hint: ${nested(error.hint)}\n`]),
  ]
  return lines.join('')
}

/** The members of an error's document with `--format json`. */
export interface ErrorDocument {
  readonly error: {
    /** One of `errorCodes`, or `ERR_INTERNAL` for a fault of this program. */
    readonly code: ErrorCode | 'ERR_INTERNAL'
    readonly message: string
    readonly pointer?: string
    readonly hint?: string
    /** With `--debug`. */
    readonly stack?: string
  }
}

/** The error as one JSON document in one line, for `--format json`. */
export function describeAsJson(error: unknown, isDebug = false): string {
  const stack = isDebug ? { stack: describeStack(error) } : {}
  const document: ErrorDocument = { error: { ...factsOf(error), ...stack } }
  return `${JSON.stringify(document)}\n`
}

function factsOf(error: unknown): ErrorDocument['error'] {
  if (!(error instanceof OciError)) {
    return { code: isSystemError(error) ? 'ERR_FILE_SYSTEM' : 'ERR_INTERNAL', message: describeBug(error) }
  }
  const { code, message, pointer, hint } = error
  return { code, message, ...(pointer !== undefined && { pointer }), ...(hint !== undefined && { hint }) }
}

/** The stack, and that of every cause, for `--debug`. */
export function describeStack(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause === undefined ? '' : `\ncaused by: ${describeStack(error.cause)}`
  return `${error.stack ?? error.message}${cause}`
}

/** The field at fault, unless the message names it already. */
function placeOf({ code, pointer, message }: OciError): string | undefined {
  if (pointer === undefined || pointer === '') return undefined
  const dotted = pointer
    .slice(1)
    .replace(/\/(\d+)(?=\/|$)/g, '[$1]')
    .replaceAll('/', '.')
  if (message.includes(pointer) || message.startsWith(dotted)) return undefined
  return isAboutRuntimeConfig(code) ? `config.json#${pointer}` : pointer
}

function isAboutRuntimeConfig(code: OciError['code']): boolean {
  return /^ERR_(?:CONFIG|COMMAND|SYSCALL|NOT_SUPPORTED)/.test(code)
}

/** Describes what is no OciError: a system error in its own words, or a fault of this program. */
function describeBug(error: unknown): string {
  if (!(error instanceof Error)) return `internal error: ${String(error)}`
  if ('syscall' in error) return error.message
  return `internal error: ${error.message} (run again with --debug for the place)`
}
