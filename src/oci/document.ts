import * as z from 'zod/mini'
import { OciError } from '../errors.ts'
import { type DocumentFacts, describeChoice, describeProblem, invalidDocument, type Problem } from './problem.ts'
import { toPointer } from './schema.ts'

// A schema is used once per process: compiling it to a function, zod's default, costs more than it saves.
z.config({ jitless: true })

/**
 * Decodes a JSON document as UTF-8, strictly unless its facts say otherwise. Members that are `null` are dropped: Go programs write it for absent ones.
 *
 * @throws OciError with the document's code when it is not UTF-8 or not JSON
 */
export function parseJson(content: Uint8Array | string, { what, code, replacesBytes = false }: DocumentFacts): unknown {
  try {
    const text =
      typeof content === 'string' ? content : new TextDecoder('utf-8', { fatal: !replacesBytes }).decode(content)
    return JSON.parse(text, function (this: unknown, _key, value: unknown) {
      return value === null && !Array.isArray(this) ? undefined : value
    })
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new OciError(code, `${what} is not JSON: ${reason}`, { cause })
  }
}

/**
 * Checks a value against a zod schema; the error lists every problem, each with its JSON pointer.
 *
 * @returns the parsed value; the schema decides if unknown properties are dropped or kept
 * @throws OciError with the document's code; `pointer` is the first problem's
 */
export function check<T>(schema: z.ZodMiniType<T>, value: unknown, facts: DocumentFacts): T {
  const { data, problems } = inspectValue(schema, value)
  if (data !== undefined) return data
  throw invalidDocument(problems, facts)
}

/**
 * The parsed value, or its problems.
 * @param place the place of the value in its document, which the pointers begin with
 */
export function inspectValue<T>(
  schema: z.ZodMiniType<T>,
  value: unknown,
  place: readonly PropertyKey[] = [],
): { readonly data?: T; readonly problems: readonly Problem[] } {
  const result = schema.safeParse(value)
  if (result.success) return { data: result.data, problems: [] }
  const problems = result.error.issues.map((issue) => ({
    pointer: toPointer([...place, ...issue.path]),
    message: describeIssue(issue, issue.path.reduce(member, value)),
  }))
  return { problems }
}

/** The member of an object or array; undefined if there is none. */
function member(value: unknown, key: PropertyKey): unknown {
  return typeof value === 'object' && value !== null ? Object.getOwnPropertyDescriptor(value, key)?.value : undefined
}

function describeIssue(issue: z.core.$ZodIssue, value: unknown): string {
  if (value !== undefined && issue.code === 'unrecognized_keys') {
    return `has the unknown member ${issue.keys.map((key) => JSON.stringify(key)).join(', ')}`
  }
  return describeProblem(expectationOf(issue), value)
}

function expectationOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type') return `must be ${article(issue.expected)}`
  if (issue.code === 'invalid_value') return describeChoice(issue.values)
  return issue.message
}

function article(expected: string): string {
  if (expected === 'record') return 'an object'
  return /^[aio]/.test(expected) ? `an ${expected}` : `a ${expected}`
}
