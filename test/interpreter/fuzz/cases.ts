import { randomNumbers } from '../random.ts'

/** Inputs made of a seed: a document or a message, with a few changes. */
export interface Seeds {
  /** Whole documents of JSON. */
  readonly documents: readonly string[]
  /** Whole messages of D-Bus, a character for each byte. */
  readonly messages: readonly string[]
}

/** What breaks parsers, in Latin-1: each character is a byte. */
const words: readonly string[] = [
  'null',
  'true',
  'fals',
  '0',
  '-',
  '-0',
  '01',
  '1e5',
  '1E+400',
  '-1e999',
  '0.1',
  '9007199254740993',
  '18446744073709551615',
  '18446744073709551616',
  '-9223372036854775809',
  '1234567890123456.5',
  '12345678901234567e2',
  '9'.repeat(401),
  '"',
  '\\',
  '\\"',
  '\\\\',
  '\\u0000',
  '\\ud800',
  '\\udc00',
  '\\ud83d\\ude00',
  '\\uD83D\\u',
  '\\x',
  '\0',
  '\n',
  '\t',
  '\x7f',
  '\xef\xbb\xbf',
  '\xed\xa0\x80',
  '\xc3\xa4',
  '\xc3',
  '\xff',
  '\xf0\x9f\x98\x80',
  '\xe2\x80\xa8',
  '\xc2\xa0',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '[]',
  '{}',
  '[[[[[[[[',
  ']]]]]]]]',
  '{"a":',
  '"__proto__":{"a":1},',
  '"constructor":',
  '"a":1,"a":2,',
  '"2":0,"1":0,',
  '//',
  '/**/',
  ' ',
  '\v',
  'a()',
  'a{sv}',
  '(((',
  'nqixtdh',
  'v',
  '\x01v\0',
  '\xff\xff\xff\xff',
  '\x00\x00\x00\x80',
]

/** A character for each byte. */
export const latin1 = (bytes: Uint8Array): string => Array.from(bytes, (byte) => String.fromCharCode(byte)).join('')
const bytesFrom = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0))

/** The input number `number` of a seed. */
export function inputOf(
  seeds: Seeds,
  seed: number,
  number: number,
): { readonly kind: 'json' | 'bus'; readonly bytes: Uint8Array } {
  const random = randomNumbers(seed * 1_000_003 + number)
  const below = (limit: number): number => Math.floor(random() * limit)
  const pick = (items: readonly string[]): string => items[below(items.length)] ?? ''
  const kind = random() < 0.2 ? 'bus' : 'json'
  const source = (): string =>
    kind === 'bus' ? pick(seeds.messages) : latin1(new TextEncoder().encode(pick(seeds.documents)))
  let text = random() < 0.05 ? '' : source()
  for (let changes = 1 + below(random() < 0.5 ? 2 : 6); changes > 0; changes--) text = change(text)
  return { kind, bytes: bytesFrom(text) }

  function change(whole: string): string {
    const [at, length] = [below(whole.length + 1), random() < 0.7 ? below(8) : below(whole.length + 1)]
    const [before, after] = [whole.slice(0, at), whole.slice(at)]
    switch (below(8)) {
      case 0:
        return before + after.slice(length)
      case 1:
        return before
      case 2:
        return before + pick(words) + after
      case 3:
        return before + pick(words) + after.slice(length)
      case 4:
        return before + after.slice(0, length).repeat(1 + below(3)) + after
      case 5:
        return before + String.fromCharCode(below(256)) + after.slice(1)
      case 6: {
        const other = source()
        const from = below(other.length)
        return before + other.slice(from, from + length) + after
      }
      default:
        return nested(before, after, 1 + below(random() < 0.02 ? 40_000 : 40))
    }
  }

  function nested(before: string, after: string, depth: number): string {
    const [open, close] = random() < 0.5 ? ['[', ']'] : ['{"a":', '}']
    return before + open.repeat(depth) + (random() < 0.8 ? `1${close.repeat(depth)}` : '') + after
  }
}
