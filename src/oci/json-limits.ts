import { endOfString, JsonSyntaxError } from './json.ts'

/** The deepest nesting of values: that of Go's decoder, so that runc takes no document that is deeper. */
const maxDepth = 10_000
/**
 * The most different strings, names of members among them. The hash tables of QuickJS have no secret, so that strings can be
 * chosen that all have one hash: with that many of them, a table takes less than a second.
 */
const maxStrings = 16_384
/** Those of a state file, which has the strings of its config.json in more than one form. */
export const maxStateStrings: number = 2 * maxStrings

/**
 * Checks that a text, if it is JSON, is neither too deep nor too varied for a parser that recurses, and for hash tables.
 *
 * A text that cannot be is not looked into: for most it is enough to count brackets.
 * @param strings the most different strings that it may have
 * @throws JsonSyntaxError at the first value that is too much
 */
export function checkJsonLimits(text: string, strings: number = maxStrings): void {
  const mayBeDeep = text.length > 2 * maxDepth && countOf(text, '[') + countOf(text, '{') > maxDepth
  const mayBeVaried = text.length > 3 * strings && countOf(text, '"') > 2 * strings
  if (mayBeDeep || mayBeVaried) look(text, strings)
}

/**
 * Parses JSON; undefined if the text is not JSON, or is too deep or too varied. For callers that check the form of the value in
 * any case.
 */
export function parseLimitedJsonIfAny(text: string): unknown {
  try {
    checkJsonLimits(text)
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

const countOf = (text: string, character: string): number => text.split(character).length - 1

function look(text: string, strings: number): void {
  const distinct = new DistinctStrings()
  const signs = /["[{\]}]/g
  let depth = 0
  for (let match = signs.exec(text); match !== null; match = signs.exec(text)) {
    const [sign] = match
    if (sign === '"') {
      signs.lastIndex = endOfString(text, match.index)
      distinct.add(text.slice(match.index, signs.lastIndex))
    } else depth += sign === '[' || sign === '{' ? 1 : -1
    if (depth > maxDepth) throw new JsonSyntaxError(text, match.index, `more than ${maxDepth} values are nested`)
    if (distinct.count > strings)
      throw new JsonSyntaxError(text, match.index, `there are more than ${strings} different strings`)
  }
}

const hashBits = 24

/** Counts different strings by hashes that nobody can foresee; of many, a few are taken for others. */
class DistinctStrings {
  readonly #start = Math.random() * 2 ** 32
  readonly #factor = (Math.random() * 2 ** 31) | 1
  readonly #seen = new Uint8Array(2 ** hashBits / 8)
  count = 0

  add(text: string): void {
    let hash = this.#start ^ text.length
    for (let at = 0; at < text.length; at++) {
      // Without the shift it would be a sum, and strings can be chosen of which one factor of a hundred makes few sums.
      hash = Math.imul(hash ^ text.charCodeAt(at), this.#factor)
      hash ^= hash >>> 15
    }
    hash = Math.imul(hash, this.#factor) >>> (32 - hashBits)
    const [place, bit] = [hash >> 3, 1 << (hash & 7)]
    const known = this.#seen[place] ?? 0
    if ((known & bit) !== 0) return
    this.#seen[place] = known | bit
    this.count++
  }
}
