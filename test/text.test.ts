import { expect, test } from 'vitest'
import { bytesOf, exactText, isText, printable, printableLines } from '../src/text.ts'

test.each([
  ['plain ~ text', 'plain ~ text'],
  ['Grüße, 日本語, हिन्दी, العربية 👍 ½ € e\u0301', 'Grüße, 日本語, हिन्दी, العربية 👍 ½ € e\u0301'],
  ['\u001b[2Jx\u0007\t\r\u007f', '\\u001b[2Jx\\u0007\\u0009\\u000d\\u007f'],
  ['\u009b31m\u0085', '\\u009b31m\\u0085'],
  ['a\u202egpj.exe\u2066\u2069\u200e\u061c', 'a\\u202egpj.exe\\u2066\\u2069\\u200e\\u061c'],
  ['one\u2028two\u2029', 'one\\u2028two\\u2029'],
  ['zero\u200bwidth\u200d\u2060\ufeff\u00ad', 'zero\\u200bwidth\\u200d\\u2060\\ufeff\\u00ad'],
  ['blank\u00a0\u3000', 'blank\\u00a0\\u3000'],
  ['tag\u{e0041}', 'tag\\udb40\\udc41'],
  ['half\ud83d', 'half\\ud83d'],
  ['byte\udcff\udc80', 'byte\\xff\\x80'],
  ['two\nlines', 'two\\u000alines'],
])('%j is shown as %s', (text, shown) => {
  expect(printable(text)).toBe(shown)
  expect(printableLines(text)).toBe(shown.replace('\\u000a', '\n'))
})

test('a JSON document says the same when it is printable', () => {
  const value = { 'a\u202e': ['\u2028\u0085\u007f\u{e0041}\\', '\\\u200f', 'é\n'], b: '\udcff' }
  const text = printableLines(JSON.stringify(value, undefined, 2))
  expect(text).toMatch(/^[\n -~é]*$/)
  expect(JSON.parse(text)).toEqual(value)
})

test('all bytes are kept, text or not', () => {
  const samples = [
    'plain',
    'Grüße 日本語 👍 \ufffd \ufeff',
    [0xff, 0x41, 0xc3, 0x28, 0xe2, 0x82, 0xf0, 0x9f, 0x91],
    [0xed, 0xa0, 0x80, 0xc0, 0xaf, 0xf4, 0x90, 0x80, 0x80, 0xf8, 0x80],
    [0xf0, 0x9f, 0x92, 0x80, 0x80, 0xef, 0xbf, 0xbd],
    Array.from({ length: 256 }, (_, index) => index),
  ].map((sample) => Buffer.from(sample as string))
  for (const sample of samples) {
    const text = exactText(sample)
    expect(Buffer.from(bytesOf(text)).equals(sample)).toBe(true)
    expect(isText(text)).toBe(sample.toString().includes('\ufffd') ? text === sample.toString() : true)
  }
  expect(exactText(Buffer.from([0x61, 0xff, 0xc3, 0xa9]))).toBe('a\udcffé')
  expect(isText('a\udcffé')).toBe(false)
  expect(isText('💀')).toBe(true)
})

test('random bytes come back, and what is valid is read as Node.js reads it', () => {
  let seed = 1
  const next = (): number => {
    seed = (seed * 1103515245 + 12345) % 2 ** 31
    return seed
  }
  for (let run = 0; run < 2000; run++) {
    const some = Buffer.from(
      Array.from(
        { length: next() % 12 },
        () => [0xff, 0x41, 0x80, 0xbf, 0xc3, 0xe0, 0xed, 0xf0, 0xf4, 0xa0, 0x9f][next() % 11] ?? 0,
      ),
    )
    const text = exactText(some)
    expect(Buffer.from(bytesOf(text)).equals(some)).toBe(true)
    expect(isText(text)).toBe(Buffer.from(some.toString()).equals(some))
  }
})
