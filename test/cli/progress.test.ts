import { expect, test, vi } from 'vitest'
import { type PlainIO, plainIO } from '../../src/cli/io.ts'
import { type LayerEvent, showProgress } from '../../src/cli/progress.ts'

const digest = (digit: string) => `sha256:${digit.repeat(64)}`
const [a, b] = ['a'.repeat(12), 'b'.repeat(12)]
const fetched = (name: string, bytes: number, size: number): LayerEvent => ({ kind: 'fetched', name, bytes, size })

/** Standard error as a terminal, or as a file, with all that is written to it. */
class Output {
  readonly writes: string[] = []
  readonly io: PlainIO
  columns = 80
  rows = 24
  #resized: (() => void) | undefined

  constructor({ isTTY = true, TERM = 'xterm' }: { isTTY?: boolean; TERM?: string } = {}) {
    const output = this
    const stderr = {
      isTTY,
      write: (text: string) => output.writes.push(text),
      get columns() {
        return output.columns
      },
      get rows() {
        return output.rows
      },
      on: (_: 'resize', listener: () => void) => {
        output.#resized = listener
      },
      off: () => {
        output.#resized = undefined
      },
    }
    this.io = plainIO({ stdout: stderr, stderr, env: { TERM } } as unknown as Parameters<typeof plainIO>[0])
  }

  resize(columns: number): void {
    this.columns = columns
    this.#resized?.()
  }

  get text(): string {
    return this.writes.join('')
  }

  /** The lines that were shown last. */
  get shown(): readonly string[] {
    const last = this.writes.at(-1) ?? ''
    return /^\r\u001b\[J\u001b\[\?7l(.*?)\u001b\[\?7h(?:\u001b\[\d+A)?\r$/s.exec(last)?.[1]?.split('\n') ?? []
  }
}

test('on a terminal each layer has a line, rewritten at most every tenth of a second, and gone at the end', () => {
  const output = new Output()
  let time = 0
  const progress = showProgress({ output: output.io.stderr, now: () => time })
  progress.update(fetched(digest('a'), 0, 2_000_000))
  progress.update(fetched(digest('b'), 1_000_000, 1_000_000))
  time = 100
  progress.update(fetched(digest('a'), 500_000, 2_000_000))
  time = 200
  progress.update({ kind: 'applied', name: digest('b'), entries: 7 })
  progress.end()
  const first = `${a}  fetching     0%  0 B of 2.0 MB`
  const second = `${a}  fetching    25%  500.0 kB of 2.0 MB  5.0 MB/s  1s left\n${b}  fetched`
  const third = `${a}  fetching    25%  500.0 kB of 2.0 MB  2.5 MB/s  1s left\n${b}  unpacked, 7 entries`
  expect(output.writes).toEqual([
    `\r\u001b[J\u001b[?7l${first}\u001b[?7h\r`,
    `\r\u001b[J\u001b[?7l${second}\u001b[?7h\u001b[1A\r`,
    `\r\u001b[J\u001b[?7l${third}\u001b[?7h\u001b[1A\r`,
    '\r\u001b[J',
  ])
})

test('unpacking is told when all is there, and a download that goes on is measured from where it was', () => {
  const output = new Output()
  let time = 0
  const progress = showProgress({ output: output.io.stderr, now: () => time })
  progress.update(fetched(digest('a'), 1_000_000, 4_000_000))
  time = 1000
  progress.update(fetched(digest('a'), 2_000_000, 4_000_000))
  expect(output.shown).toEqual([`${a}  fetching    50%  2.0 MB of 4.0 MB  1.0 MB/s  2s left`])
  time = 2000
  progress.update(fetched(digest('a'), 0, 4_000_000))
  time = 3000
  progress.update(fetched(digest('a'), 4_000_000, 4_000_000))
  expect(output.shown).toEqual([`${a}  fetched`])
  progress.update({ kind: 'read', name: digest('a'), bytes: 0, size: 4_000_000 })
  time = 4000
  progress.update({ kind: 'read', name: digest('a'), bytes: 1_000_000, size: 4_000_000 })
  expect(output.shown).toEqual([`${a}  unpacking   25%  1.0 MB of 4.0 MB  1.0 MB/s  3s left`])
})

test('a warning is not written over, and the lines go on below it', () => {
  const output = new Output()
  let time = 0
  const progress = showProgress({ output: output.io.stderr, now: () => time })
  progress.update(fetched(digest('a'), 1, 2))
  output.io.stderr.write('warning: one\n')
  expect(output.writes.slice(1)).toEqual(['\r\u001b[J', 'warning: one\n'])
  time = 1000
  progress.update(fetched(digest('a'), 2, 2))
  output.io.stdout.write('on the same terminal\n')
  expect(output.writes.slice(3)).toEqual([
    `\r\u001b[J\u001b[?7l${a}  fetched\u001b[?7h\r`,
    '\r\u001b[J',
    'on the same terminal\n',
  ])
  progress.end()
  expect(output.writes).toHaveLength(6)
})

test('another size of the terminal counts at once, until the end', () => {
  const output = new Output()
  const progress = showProgress({ output: output.io.stderr, now: () => 0 })
  progress.update(fetched(digest('a'), 500_000, 2_000_000))
  output.resize(30)
  expect(output.shown).toEqual([`${a}  25% 2.0MB`])
  progress.end()
  const { length } = output.writes
  output.resize(80)
  expect(output.writes).toHaveLength(length)
})

test('what was reported soon after a drawing is drawn when its time has come', () => {
  vi.useFakeTimers()
  try {
    const output = new Output()
    const progress = showProgress({ output: output.io.stderr })
    progress.update(fetched(digest('a'), 1, 2))
    vi.advanceTimersByTime(30)
    progress.update(fetched(digest('a'), 2, 2))
    expect(output.writes).toHaveLength(1)
    vi.advanceTimersByTime(70)
    expect(output.shown).toEqual([`${a}  fetched`])
    progress.update({ kind: 'applied', name: digest('a'), entries: 1 })
    progress.end()
    const { length } = output.writes
    vi.advanceTimersByTime(1000)
    expect(output.writes).toHaveLength(length)
  } finally {
    vi.useRealTimers()
  }
})

test('there are no more lines than the terminal has, and those that have ended go first', () => {
  const output = new Output()
  output.rows = 4
  let time = 0
  const progress = showProgress({ output: output.io.stderr, now: () => (time += 1000) })
  for (const digit of ['1', '2', '3']) progress.update({ kind: 'applied', name: digest(digit), entries: 1 })
  expect(output.shown).toHaveLength(3)
  progress.update(fetched(digest('a'), 1, 2))
  expect(output.shown.map((line) => line.slice(0, 12))).toEqual(['3'.repeat(12), a, 'and 2 more'])
  for (const digit of ['b', 'c', 'd']) progress.update(fetched(digest(digit), 1, 2))
  expect(output.shown.map((line) => line.slice(0, 12))).toEqual([a, b, 'and 5 more'])
})

test.each([
  ['without a terminal', { isTTY: false }],
  ['on one that cannot be steered', { TERM: 'dumb' }],
  ['on one that is not known', { TERM: '' }],
])('%s each layer has a line when it is there, and one when it is unpacked', (_, options) => {
  const output = new Output(options)
  const progress = showProgress({ output: output.io.stderr })
  progress.update(fetched(digest('a'), 1, 2))
  progress.update(fetched(digest('a'), 2, 2))
  progress.update(fetched(digest('a'), 2, 2))
  progress.update({ kind: 'read', name: digest('a'), bytes: 1, size: 2 })
  progress.update({ kind: 'applied', name: digest('a'), entries: 3 })
  progress.update({ kind: 'applied', name: 'evil\u001b[2J/layer.tar', entries: 1 })
  progress.end()
  expect(output.text).toBe(
    `${a}: fetched, 2 B\n${a}: unpacked, 3 entries\nevil\\u001b[2J/layer.tar: unpacked, 1 entries\n`,
  )
})

test('with --quiet nothing is shown', () => {
  const output = new Output()
  const progress = showProgress({ output: output.io.stderr, isQuiet: true })
  progress.update(fetched(digest('a'), 2, 2))
  progress.end()
  expect(output.text).toBe('')
})

test('a copy has a line for each blob on a terminal, and one when it is there elsewhere', () => {
  const events: LayerEvent[] = [
    { kind: 'copying', name: digest('a'), bytes: 500_000, size: 2_000_000 },
    { kind: 'copied', name: digest('b'), size: 7, wasThere: true },
    { kind: 'copied', name: digest('a'), size: 2_000_000, wasThere: false },
  ]
  const [terminal, elsewhere] = [new Output(), new Output({ isTTY: false })]
  let time = 0
  const progress = showProgress({ output: terminal.io.stderr, now: () => time })
  const lines = showProgress({ output: elsewhere.io.stderr })
  for (const event of events) {
    progress.update(event)
    lines.update(event)
    time += 1000
  }
  expect(elsewhere.text).toBe(`${b}: is there\n${a}: copied, 2.0 MB\n`)
  expect(terminal.text).toContain('25%  500.0 kB of 2.0 MB')
  expect(terminal.shown).toEqual([`${a}  copied, 2.0 MB`, `${b}  is there`])
})
