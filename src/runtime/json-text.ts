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
export const plainJson = (value: unknown): Deferred => writtenJson(JSON.stringify(value))

/** The same of a value that may be absent. */
export const plainJsonOf = (value: unknown): Deferred | undefined =>
  value === undefined ? undefined : plainJson(value)

/** The text of a JSON value. */
export const writtenJson = (text: string): Deferred => ({ [deferred]: [text] })

/** The JSON text of `value`, without white space; 64-bit integers are exact. */
export function jsonText(value: JsonValue): Pieces {
  const writer: Writer = { pieces: [], text: '' }
  append(value, writer)
  return writer.text === '' ? writer.pieces : [...writer.pieces, writer.text]
}

interface Writer {
  readonly pieces: (string | Register)[]
  /** The text behind the last register. */
  text: string
}

function append(value: JsonValue, writer: Writer): void {
  if (typeof value === 'string') writer.text += JSON.stringify(value)
  else if (typeof value !== 'object') writer.text += String(value)
  else if (isDeferred(value)) for (const piece of value[deferred]) appendPiece(piece, writer)
  else if (isArray(value)) {
    writer.text += '['
    for (let index = 0; index < value.length; index++) {
      if (index > 0) writer.text += ','
      append(value[index] as JsonValue, writer)
    }
    writer.text += ']'
  } else appendMembers(value, writer)
}

function appendPiece(piece: string | Register, writer: Writer): void {
  if (typeof piece === 'string') {
    writer.text += piece
    return
  }
  if (writer.text !== '') writer.pieces.push(writer.text)
  writer.text = ''
  writer.pieces.push(piece)
}

function appendMembers(value: Readonly<Record<string, JsonValue | undefined>>, writer: Writer): void {
  let before = '{'
  for (const key of Object.keys(value)) {
    const member = value[key]
    if (member === undefined) continue
    writer.text += `${before}${JSON.stringify(key)}:`
    before = ','
    append(member, writer)
  }
  writer.text += before === '{' ? '{}' : '}'
}

const escaped = (text: string): string => JSON.stringify(text).slice(1, -1)

const isDeferred = (value: object): value is Deferred => deferred in value

/** `Array.isArray` does not narrow readonly arrays. */
const isArray = (value: object): value is readonly JsonValue[] => Array.isArray(value)
