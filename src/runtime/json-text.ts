import type { RegisterName } from '../program/ops.ts'

/** A reference to a value that only the runner knows, and that it fills in when it writes the text. */
export interface Register {
  readonly register: RegisterName
}

/** A text with registers in it; neighbouring strings are joined. */
export type Pieces = readonly (string | Register)[]

const deferred: unique symbol = Symbol('deferred')

/** A JSON value whose text has registers in it. */
export interface Deferred {
  readonly [deferred]: Pieces
}

/**
 * A value that `jsonText` writes. `undefined` members are left out, since Go's decoder leaves absent fields at zero.
 */
export type JsonValue =
  | boolean
  | number
  | bigint
  | string
  | Deferred
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue | undefined }

/** A JSON string of constant parts and registers whose values need no escaping. */
export const deferredString = (pieces: Pieces): Deferred => ({
  [deferred]: ['"', ...pieces.map((piece) => (typeof piece === 'string' ? escaped(piece) : piece)), '"'],
})

/** A JSON number that a register holds. */
export const deferredNumber = (register: Register['register']): Deferred => ({ [deferred]: [{ register }] })

/**
 * A JSON value without registers and integers beyond 2^53, written in one piece, which is ten times as fast for a large
 * value.
 */
export const plainJson = (value: unknown): Deferred => ({ [deferred]: [JSON.stringify(value)] })

/** The text of a JSON value. */
export const writtenJson = (text: string): Deferred => ({ [deferred]: [text] })

/** The JSON text of `value`, without white space; 64-bit integers are exact. */
export function jsonText(value: JsonValue): Pieces {
  const pieces: (string | Register)[] = []
  append(value, (piece) => {
    const last = pieces.length - 1
    if (typeof piece === 'string' && typeof pieces[last] === 'string') pieces[last] += piece
    else pieces.push(piece)
  })
  return pieces
}

function append(value: JsonValue, push: (piece: string | Register) => void): void {
  if (typeof value === 'string') push(`"${escaped(value)}"`)
  else if (typeof value !== 'object') push(String(value))
  else if (isDeferred(value)) value[deferred].forEach(push)
  else if (isArray(value)) {
    push('[')
    value.forEach((item, index) => {
      if (index > 0) push(',')
      append(item, push)
    })
    push(']')
  } else {
    const members = Object.entries(value).filter((entry): entry is [string, JsonValue] => entry[1] !== undefined)
    push('{')
    members.forEach(([key, member], index) => {
      push(`${index > 0 ? ',' : ''}"${escaped(key)}":`)
      append(member, push)
    })
    push('}')
  }
}

const escaped = (text: string): string => JSON.stringify(text).slice(1, -1)

const isDeferred = (value: object): value is Deferred => deferred in value

/** `Array.isArray` does not narrow readonly arrays. */
const isArray = (value: object): value is readonly JsonValue[] => Array.isArray(value)
