/**
 * Text of others: config.json, images, registries, file names, the words of the caller. Each of them may say what a terminal
 * or a reader would obey instead of showing it, and some of them are bytes that are no text.
 */

/** All that is not shown as it is: everything but letters, marks, numbers, punctuation, symbols and the blank. Go's %q, which runc's log has, leaves the same. */
const hidden = /(?! )[\p{C}\p{Z}]/gu
const hiddenInLine = /(?![ \n])[\p{C}\p{Z}]/gu
const plain = /^[\n -~]*$/

/**
 * Text of several lines as a terminal can show it: what is hidden becomes the escape that JSON has for it, so that a JSON
 * document still says the same. Line feeds stay.
 */
export function printableLines(text: string): string {
  return plain.test(text) ? text : text.replace(hiddenInLine, escaped)
}

/** The same for a text that is to be in one line. */
export function printable(text: string): string {
  return plain.test(text) && !text.includes('\n') ? text : text.replace(hidden, escaped)
}

function escaped(character: string): string {
  if (isByte(character)) return `\\x${byteOf(character).toString(16)}`
  const units = Array.from({ length: character.length }, (_, index) => character.charCodeAt(index))
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('')
}

/** How a string has a byte that is no UTF-8: U+DC80 to U+DCFF, which no text has alone. Python calls it "surrogateescape". */
const bytes = /([\udc80-\udcff]+)/u
const eachByte = /[\udc80-\udcff]/gu
const firstByte = 0xdc00

const isByte = (character: string): boolean => character >= '\udc80' && character <= '\udcff'
const byteOf = (character: string): number => character.charCodeAt(0) - firstByte

const utf8 = new TextEncoder()

/** The bytes of a string: UTF-8, and those of `exactText` as they were. */
export function bytesOf(text: string): Uint8Array {
  if (!bytes.test(text)) return utf8.encode(text)
  // What the expression has found is every second part.
  const parts = text.split(bytes).map((part, at) => (at % 2 === 1 ? Uint8Array.from(part, byteOf) : utf8.encode(part)))
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

/** The string whose bytes these are, whether they are UTF-8 or not: `bytesOf` gives them back. */
export function exactText(given: Uint8Array): string {
  const whole = decoded(given)
  if (!whole.includes('\ufffd')) return whole
  let text = ''
  for (let at = 0; at < given.length; ) {
    const end = endOfText(given, at)
    text += decoded(given.subarray(at, end))
    at = end
    if (at < given.length) text += String.fromCharCode(firstByte + (given[at++] ?? 0))
  }
  return text
}

const decoded = (given: Uint8Array): string =>
  Buffer.from(given.buffer, given.byteOffset, given.byteLength).toString('utf8')

/** Where the first byte is that belongs to no character, or the end. */
function endOfText(given: Uint8Array, from: number): number {
  let at = from
  while (at < given.length) {
    const length = lengthOfCharacter(given, at)
    if (length === 0) return at
    at += length
  }
  return at
}

/** How many bytes the character has that begins here; 0 for none. @see Unicode 16.0 table 3-7 "Well-Formed UTF-8 Byte Sequences" */
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

/** A text of which JSON can be made: bytes that are no text are shown as such. */
export const showBytes = (text: string): string => (isText(text) ? text : text.replace(eachByte, escaped))

/** Whether all of it is text: no byte of `exactText`, and no half of a character. */
export const isText = (text: string): boolean => !/[\ud800-\udfff]/u.test(text)
