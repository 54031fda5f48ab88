import type * as z from 'zod'
import { type ErrorCode, OciError } from '../errors.ts'

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
export function check<T>(schema: z.ZodType<T>, value: unknown, { what, code }: DocumentFacts): T {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const problems = result.error.issues.map(({ path, message }) => ({ pointer: toPointer(path), message }))
  const list = problems.map(({ pointer, message }) => `${pointer || '/'}: ${message}`)
  const text = list.length === 1 ? list[0] : `${list.length} problems\n  ${list.join('\n  ')}`
  throw new OciError(code, `${what} is invalid: ${text}`, { pointer: problems[0]?.pointer })
}

/** RFC 6901 pointer of a path of keys. */
export function toPointer(path: readonly PropertyKey[]): string {
  return path.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}
