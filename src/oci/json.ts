import { has, isText } from '../text.ts'

/**
 * An integer of up to 64 bits: a number if it is safe (below 2^53), else a bigint.
 * `String()`, `BigInt()` and comparisons take both; arithmetic needs `BigInt()` first.
 */
export type Integer = number | bigint

/** A parsed JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>

/** True for a JSON object: not for an array, nor for `null`. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The error for a text that is not JSON. Line and column count from 1; the column counts UTF-16 units. */
export class JsonSyntaxError extends SyntaxError {
  readonly line: number
  readonly column: number
  /** The text before the offset, if that is a whole document. */
  readonly document: string | undefined

  constructor(text: string, offset: number, reason: string, hasDocument = false) {
    const before = text.slice(0, offset)
    const line = before.split('\n').length
    const column = offset - before.lastIndexOf('\n')
    super(`line ${line}, column ${column}: ${reason}`)
    this.name = 'JsonSyntaxError'
    this.line = line
    this.column = column
    this.document = hasDocument ? before : undefined
  }
}

/**
 * Parses JSON with exact integers. Members that are `null` are left out, since Go's decoder ignores them; with `keepsNull` they
 * stay, for a document that is written again. Bytes that are not
 * UTF-8 (see `exactText`) and escapes of half a character are errors; Go's decoder replaces both by U+FFFD, with which a
 * path to be masked would be another path.
 * It uses `JSON.parse`, but keeps 64-bit integers (RLIM_INFINITY) exact and finds the position of an error itself.
 *
 * @throws JsonSyntaxError
 */
export function parseExactJson(text: string, { keepsNull = false }: { readonly keepsNull?: boolean } = {}): unknown {
  checkCharacters(text)
  try {
    const hasLong = hasLongNumber(text)
    const hasNull = !keepsNull && has(text, 'null')
    const value: unknown = JSON.parse(hasLong ? markLongIntegers(text) : text)
    return hasLong || hasNull ? mended(value, keepsNull) : value
  } catch (error) {
    if (error instanceof SyntaxError) throw locate(text)
    throw error
  }
}

/** The least digits of an integer that may be beyond 2^53. */
const longDigits = 16

/** True when so many digits follow each other: then one of them stands at a multiple of that. A regular expression looks at all. */
function hasLongNumber(text: string): boolean {
  for (let at = longDigits - 1; at < text.length; at += longDigits) {
    if (!isDigit(text, at)) continue
    let start = at
    while (isDigit(text, start - 1)) start--
    let end = at + 1
    while (isDigit(text, end)) end++
    if (end - start >= longDigits) return true
  }
  return false
}

/** Parses JSON; undefined if the text is not JSON. For callers that check the form of the value in any case. */
export function parseJsonIfAny(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

const escapes = /\\(?:u([\da-fA-F]{4})|.)/gs

/** Refuses bytes that are not UTF-8, and an escape of half a character (a lone surrogate). */
function checkCharacters(text: string): void {
  if (!isText(text)) {
    const offset = text.search(/[\ud800-\udfff]/u)
    throw new JsonSyntaxError(text, offset, `"${text[offset]}" is not UTF-8`)
  }
  if (!has(text, '\\u') || !/\\u[dD][89a-fA-F]/.test(text)) return
  const half = (offset: number): JsonSyntaxError => new JsonSyntaxError(text, offset, 'the escape of half a character')
  let high: number | undefined
  for (const { 1: digits = '0', index } of text.matchAll(escapes)) {
    const unit = Number.parseInt(digits, 16)
    const isLow = unit >= 0xdc00 && unit <= 0xdfff
    const isWhole = high === undefined ? !isLow : isLow && index === high + '\\uD83D'.length
    if (!isWhole) throw half(high ?? index)
    high = unit >= 0xd800 && unit <= 0xdbff ? index : undefined
  }
  if (high !== undefined) throw half(high)
}

/** Formats like `JSON.stringify`, with bigints as integers. */
export function formatExactJson(value: unknown, indent: string): string {
  try {
    return JSON.stringify(value, undefined, indent)
  } catch (error) {
    if (!(error instanceof TypeError)) throw error // it has an integer of 64 bits, for which each value is looked at: slow
  }
  return JSON.stringify(
    value,
    (_key, item: unknown) => (typeof item === 'bigint' ? `\0${longIntegerName()}${item}` : item),
    indent,
  ).replace(new RegExp(`"\\\\u0000${longIntegerName()}(-?\\d+)"`, 'g'), '$1')
}

/**
 * The prefix of strings that represent long integers during JSON.parse, behind a NUL. It is random, so that no document can
 * contain it: by each process for itself, also where many begin with the same modules in memory.
 */
function longIntegerName(): string {
  chosenName ??= `int${Math.random().toString(36).slice(2)}:`
  return chosenName
}
let chosenName: string | undefined

/** Makes strings of long integers. Regular expressions that match whole strings or numbers overflow where these are long. */
function markLongIntegers(text: string): string {
  const pieces: string[] = []
  for (let at = 0; at < text.length; ) {
    const quote = text.indexOf('"', at)
    const end = quote === -1 ? text.length : quote
    pieces.push(markOutsideStrings(text.slice(at, end)))
    at = quote === -1 ? end : endOfString(text, quote)
    pieces.push(text.slice(end, at))
  }
  return pieces.join('')
}

/** The most digits of an integer that stays exact: no field takes one of more than 20. */
const maxDigits = 400

function markOutsideStrings(text: string): string {
  const pieces: string[] = []
  const digits = /\d{16}/g
  const name = /\s*:/y // in its place a number is no JSON, and a string would be
  let done = 0
  for (let match = digits.exec(text); match !== null; match = digits.exec(text)) {
    let end = digits.lastIndex
    while (isDigit(text, end)) end++
    digits.lastIndex = end
    const start = text[match.index - 1] === '-' ? match.index - 1 : match.index
    const isInteger = !/[\d.eE+-]/.test(text[start - 1] ?? '') && !/[.eE]/.test(text[end] ?? '')
    name.lastIndex = end
    if (!isInteger || text[match.index] === '0' || end - start > maxDigits || name.test(text)) continue
    pieces.push(text.slice(done, start), `"\\u0000${longIntegerName()}${text.slice(start, end)}"`)
    done = end
  }
  return pieces.join('') + text.slice(done)
}

function isDigit(text: string, at: number): boolean {
  const code = text.charCodeAt(at)
  return code >= 48 && code <= 57
}

/** The index behind the string that begins at a quotation mark, or the end of a text in which it does not end. */
export function endOfString(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at !== -1; at = text.indexOf('"', at + 1)) {
    let backslashes = 0
    while (text[at - 1 - backslashes] === '\\') backslashes++
    if (backslashes % 2 === 0) return at + 1
  }
  return text.length
}

/**
 * Puts integers in the place of the strings that stand for long ones, and takes away members that are null, in a new value. It
 * does not call itself, and so takes values that are as deep as `JSON.parse` does.
 */
function mended(value: unknown, keepsNull: boolean): unknown {
  const root = { value }
  const open: Record<string, unknown>[] = [root]
  for (let holder = open.pop(); holder !== undefined; holder = open.pop()) {
    const isList = Array.isArray(holder)
    for (const key of Object.keys(holder)) {
      const item = holder[key]
      if (typeof item === 'object' && item !== null) open.push(item as Record<string, unknown>)
      else if (typeof item === 'string') setMember(holder, key, item)
      else if (item === null && !isList && !keepsNull && holder !== root) delete holder[key]
    }
  }
  return root.value
}

function setMember(holder: Record<string, unknown>, key: string, item: string): void {
  const start = `\0${longIntegerName()}`
  if (!item.startsWith(start)) return
  const integer = BigInt(item.slice(start.length))
  const number = Number(integer)
  const value = Number.isSafeInteger(number) ? number : integer
  Object.defineProperty(holder, key, { value, enumerable: true, configurable: true, writable: true }) // also `__proto__`
}

const token = /\s*(?:(")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\d.])|true\b|false\b|null\b)|([{}[\]:,]))/y

/** The index behind a string, if it is one of JSON. */
function endOfJsonString(text: string, start: number): number | undefined {
  const end = endOfString(text, start)
  const content = text.slice(start + 1, end - 1)
  const isWhole = end > start + 1 && text[end - 1] === '"'
  for (const [sign] of content.matchAll(/\\(?:["\\/bfnrt]|u[\da-fA-F]{4})|[\u0000-\u001f\\]/g))
    if (sign.length === 1) return undefined
  return isWhole ? end : undefined
}

/** Finds the position at which a text that JSON.parse refuses stops being JSON. */
function locate(text: string): JsonSyntaxError {
  const open: string[] = []
  let expects: 'a value' | 'a value or ]' | 'a name' | 'a name or }' | '":"' | ', or end' = 'a value'
  let offset = 0
  while (!(open.length === 0 && expects === ', or end')) {
    token.lastIndex = offset
    const match = token.exec(text)
    if (match === null)
      return new JsonSyntaxError(text, skipSpace(text, offset), unexpected(text, offset, expects, open))
    const [whole, string, literal, sign] = match
    const at = offset + whole.search(/\S/)
    const end = string === undefined ? offset + whole.length : endOfJsonString(text, at)
    if (end === undefined) return new JsonSyntaxError(text, at, unexpected(text, at, expects, open))
    const refuse = (): JsonSyntaxError => new JsonSyntaxError(text, at, unexpected(text, at, expects, open))
    if (expects === 'a value' || expects === 'a value or ]') {
      if (string !== undefined || literal !== undefined) expects = ', or end'
      else if (sign === '{' || sign === '[') {
        open.push(sign)
        expects = sign === '{' ? 'a name or }' : 'a value or ]'
      } else if (sign === ']' && expects === 'a value or ]') {
        open.pop()
        expects = ', or end'
      } else return refuse()
    } else if (expects === 'a name' || expects === 'a name or }') {
      if (string !== undefined) expects = '":"'
      else if (sign === '}' && expects === 'a name or }') {
        open.pop()
        expects = ', or end'
      } else return refuse()
    } else if (expects === '":"') {
      if (sign !== ':') return refuse()
      expects = 'a value'
    } else if (sign === ',') {
      expects = open.at(-1) === '{' ? 'a name' : 'a value'
    } else if (sign === (open.at(-1) === '{' ? '}' : ']')) {
      open.pop()
    } else return refuse()
    offset = end
  }
  return new JsonSyntaxError(text, skipSpace(text, offset), 'there is more text after the document', true)
}

function skipSpace(text: string, offset: number): number {
  const rest = text.slice(offset).search(/\S/)
  return rest === -1 ? text.length : offset + rest
}

function unexpected(text: string, offset: number, expects: string, open: readonly string[]): string {
  const at = skipSpace(text, offset)
  const found = at === text.length ? 'the text ends' : `found ${JSON.stringify(text.slice(at, at + 1))}`
  const wanted = expects === ', or end' ? `"," or "${open.at(-1) === '{' ? '}' : ']'}"` : expects
  return `${found} where ${wanted} is expected`
}
