import { expect, test } from 'vitest'
import { formatLogLine } from '../../src/cli/log.ts'

const time = new Date('2026-01-02T03:04:05.678Z')

test.each([
  ['plain', 'plain'],
  ['a-b_c.d/e@f^g+h', 'a-b_c.d/e@f^g+h'],
  ['two words', '"two words"'],
  ['', '""'],
  ['say "x"\nand more', String.raw`"say \"x\"\nand more"`],
])('the text log quotes %j as %s', (message, quoted) => {
  const expected = `time="2026-01-02T03:04:05Z" level=warning msg=${quoted}\n`
  expect(formatLogLine('text', 'warning', message, time)).toBe(expected)
})

test('the JSON log has the keys that engines read, in their order', () => {
  expect(formatLogLine('json', 'error', 'a\n"b"', time)).toBe(
    '{"level":"error","msg":"a\\n\\"b\\"","time":"2026-01-02T03:04:05Z"}\n',
  )
})
