/// <reference lib="es2024.string" />
/**
 * Untrusted text: config.json, images, registries, file names, the caller's arguments. Such a text may contain control
 * sequences, which a terminal would execute instead of show, or bytes that are not UTF-8.
 */

/**
 * Characters that are escaped: everything but letters, marks, numbers, punctuation, symbols and the space. Go's %q, which
 * runc's log uses, keeps the same characters.
 */
const hidden = /(?! )[\p{C}\p{Z}]/gu
const hiddenInLine = /(?![ \n])[\p{C}\p{Z}]/gu
const plain = /^[\n -~]*$/

/**
 * Escapes hidden characters in a text of several lines, so that a terminal can show it. Line feeds stay. The escapes are
 * JSON's, so that a JSON document keeps its meaning.
 */
export function printableLines(text: string): string {
  return plain.test(text) ? text : text.replace(hiddenInLine, escaped)
}

/** Escapes hidden characters as `printableLines` does, and line feeds too: the result is one line. */
export function printable(text: string): string {
  return plain.test(text) && !text.includes('\n') ? text : text.replace(hidden, escaped)
}

function escaped(character: string): string {
  if (isByte(character)) return `\\x${byteOf(character).toString(16)}`
  const units = Array.from({ length: character.length }, (_, index) => character.charCodeAt(index))
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('')
}

/**
 * The form of a byte that is not UTF-8 in a string: U+DC80 to U+DCFF, lone surrogates, which no text contains. Python calls
 * this "surrogateescape".
 */
const bytes = /([\udc80-\udcff]+)/u
const eachByte = /[\udc80-\udcff]/gu
const firstByte = 0xdc00

const isByte = (character: string): boolean => character >= '\udc80' && character <= '\udcff'
const byteOf = (character: string): number => character.charCodeAt(0) - firstByte

const utf8 = new TextEncoder()

/** Encodes a string as UTF-8; a byte that `exactText` kept becomes the same byte again. */
export function bytesOf(text: string): Uint8Array {
  if (isText(text)) return utf8.encode(text)
  // split() with a capture group puts each match between two parts of text: the odd indices are matches.
  const parts = text.split(bytes).map((part, at) => (at % 2 === 1 ? Uint8Array.from(part, byteOf) : utf8.encode(part)))
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

/** Decodes bytes without loss, also those that are not UTF-8: `bytesOf` of the result returns `given`. */
export function exactText(given: Uint8Array): string {
  const whole = decoded(given)
  if (!has(whole, '\ufffd')) return whole
  let text = ''
  for (let at = 0; at < given.length; ) {
    const end = endOfText(given, at)
    text += decoded(given.subarray(at, end))
    at = end
    if (at < given.length) text += String.fromCharCode(firstByte + (given[at++] ?? 0))
  }
  return text
}

/** True when a text has another one in it. In QuickJS, the other functions that find a part take four times as long for a long text. */
export const has = (text: string, part: string, from = 0): boolean =>
  text.length < 500 || from > 0 ? text.indexOf(part, from) !== -1 : text.split(part, 1)[0]?.length !== text.length

const decoded = (given: Uint8Array): string =>
  Buffer.from(given.buffer, given.byteOffset, given.byteLength).toString('utf8')

/** The index of the first byte at or after `from` that belongs to no UTF-8 character, or the length of `given`. */
function endOfText(given: Uint8Array, from: number): number {
  let at = from
  while (at < given.length) {
    const length = lengthOfCharacter(given, at)
    if (length === 0) return at
    at += length
  }
  return at
}

/**
 * The size in bytes of the UTF-8 character that begins at `at`; 0 if none does.
 * @see Unicode 16.0 table 3-7 "Well-Formed UTF-8 Byte Sequences"
 */
function lengthOfCharacter(given: Uint8Array, at: number): number {
  const [lead = 0, second = 0] = given.subarray(at, at + 2)
  if (lead < 0x80) return 1
  const length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4
  const least = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80
  const most = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf
  if (lead < 0xc2 || lead > 0xf4 || second < least || second > most || at + length > given.length) return 0
  const rest = given.subarray(at + 2, at + length)
  return rest.every((byte) => byte >= 0x80 && byte <= 0xbf) ? length : 0
}

/** Replaces bytes that `exactText` kept by the escape `\xNN`, so that the result can be written as JSON. */
export const showBytes = (text: string): string => (isText(text) ? text : text.replace(eachByte, escaped))

/** True when `text` has no lone surrogate: neither a byte that `exactText` kept, nor half of a character. */
export const isText = (text: string): boolean => text.isWellFormed()
