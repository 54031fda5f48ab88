import { expect, test } from 'vitest'
import { type LayerEvent, showProgress } from '../../src/cli/progress.ts'

const digest = (digit: string) => `sha256:${digit.repeat(64)}`
const [a, b] = ['a'.repeat(12), 'b'.repeat(12)]
const fetched = (name: string, bytes: number, size: number): LayerEvent => ({ kind: 'fetched', name, bytes, size })

test('on a terminal each layer has a line, rewritten at most every tenth of a second, and gone at the end', () => {
  const writes: string[] = []
  let time = 0
  const output = { isTTY: true, write: (part: string, steering = '') => writes.push(`${steering}${part}`) }
  const progress = showProgress({ output, now: () => time })
  progress.update(fetched(digest('a'), 500_000, 2_000_000))
  progress.update(fetched(digest('b'), 1_000_000, 1_000_000))
  time = 100
  progress.update({ kind: 'read', name: digest('a'), bytes: 250_000, size: 2_000_000 })
  time = 200
  progress.update({ kind: 'applied', name: digest('b'), entries: 7 })
  progress.end()
  expect(writes).toEqual([
    `${a}  fetched 500.0 kB of 2.0 MB\n`,
    `\u001b[1A\r\u001b[J${a}  fetched 500.0 kB of 2.0 MB, 5.0 MB/s, unpacked 250.0 kB of 2.0 MB\n${b}  fetched\n`,
    `\u001b[2A\r\u001b[J${a}  fetched 500.0 kB of 2.0 MB, 2.5 MB/s, unpacked 250.0 kB of 2.0 MB\n${b}  unpacked, 7 entries\n`,
    '\u001b[2A\r\u001b[J',
  ])
})

test('without a terminal each layer has a line when it is there, and one when it is unpacked', () => {
  let text = ''
  const progress = showProgress({ output: { isTTY: false, write: (part) => (text += part) } })
  progress.update(fetched(digest('a'), 1, 2))
  progress.update(fetched(digest('a'), 2, 2))
  progress.update(fetched(digest('a'), 2, 2))
  progress.update({ kind: 'read', name: digest('a'), bytes: 1, size: 2 })
  progress.update({ kind: 'applied', name: digest('a'), entries: 3 })
  progress.update({ kind: 'applied', name: 'evil\u001b[2J/layer.tar', entries: 1 })
  progress.end()
  expect(text).toBe(`${a}: fetched, 2 B\n${a}: unpacked, 3 entries\nevil\\u001b[2J/layer.tar: unpacked, 1 entries\n`)
})

test('with --quiet nothing is shown', () => {
  let text = ''
  const progress = showProgress({ output: { isTTY: true, write: (part) => (text += part) }, isQuiet: true })
  progress.update(fetched(digest('a'), 2, 2))
  progress.end()
  expect(text).toBe('')
})

test('a copy has a line for each blob on a terminal, and one when it is there elsewhere', () => {
  const events: LayerEvent[] = [
    { kind: 'copying', name: digest('a'), bytes: 500_000, size: 2_000_000 },
    { kind: 'copied', name: digest('b'), size: 7, wasThere: true },
    { kind: 'copied', name: digest('a'), size: 2_000_000, wasThere: false },
  ]
  let [onTerminal, elsewhere, time] = ['', '', 0]
  const progress = showProgress({
    output: { isTTY: true, write: (part) => (onTerminal += part) },
    now: () => time,
  })
  const lines = showProgress({ output: { isTTY: false, write: (part) => (elsewhere += part) } })
  for (const event of events) {
    progress.update(event)
    lines.update(event)
    time += 1000
  }
  expect(elsewhere).toBe(`${digest('b').slice(7, 19)}: is there\n${digest('a').slice(7, 19)}: copied, 2.0 MB\n`)
  expect(onTerminal).toContain('copied 500.0 kB of 2.0 MB\n')
  expect(onTerminal).toMatch(/copied, 2\.0 MB\n\w+ {2}is there\n$/)
})
