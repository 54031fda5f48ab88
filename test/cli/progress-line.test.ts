import { describe, expect, test } from 'vitest'
import { columnsOf } from '../../src/cli/columns-of-text.ts'
import { formatProgressLine, type LayerProgress } from '../../src/cli/progress-line.ts'

const digest = `sha256:${'ab'.repeat(32)}`
const going = (bytes: number, size: number | undefined, bytesPerSecond?: number): LayerProgress => ({
  kind: 'going',
  verb: 'fetching',
  bytes,
  size,
  bytesPerSecond,
})
const half = going(119_000_000, 238_000_000, 12_300_000)

test.each([
  [300, 'abababababab  fetching    50%  119.0 MB of 238.0 MB  12.3 MB/s  10s left'],
  [80, 'abababababab  fetching    50%  119.0 MB of 238.0 MB  12.3 MB/s  10s left'],
  [70, 'abababababab  fetching    50%  238.0 MB  12.3 MB/s  10s left'],
  [50, 'abababababab  50% 238MB 12MB/s 10s'],
  [30, 'ababababa  50% 238MB 12MB/s 10s'.slice(2)],
])('in %i columns there are percent, total, speed and time left', (columns, line) => {
  expect(formatProgressLine(digest, half, columns)).toBe(line)
})

test('what is not known is left out', () => {
  expect(formatProgressLine(digest, going(5, 10), 80)).toBe('abababababab  fetching    50%  5 B of 10 B')
  expect(formatProgressLine(digest, going(5_000_000, undefined, 1_000_000), 80)).toBe(
    'abababababab  fetching   5.0 MB  1.0 MB/s',
  )
  expect(formatProgressLine(digest, going(5, 10, 0), 80)).toBe('abababababab  fetching    50%  5 B of 10 B')
  expect(formatProgressLine(digest, going(0, 0, 0), 80)).toContain('100%')
})

test.each([
  [1, 100, 99, '1s left'],
  [100, 100, 1, 'left'],
  [0, 125, 1, '2m05s left'],
  [0, 3725, 1, '1h02m left'],
  [0, 864_000, 1, '10d left'],
])('%i of %i at %i B/s: %s', (bytes, size, speed, text) => {
  expect(formatProgressLine(digest, going(bytes, size, speed), 80)).toContain(text)
})

test('only all of it is 100%', () => {
  expect(formatProgressLine(digest, going(9_999, 10_000, 1), 80)).toContain(' 99%')
})

test('of a path the end is shown, cut by columns, and nothing in it steers the terminal', () => {
  const ended: LayerProgress = { kind: 'ended', text: 'unpacked, 3 entries' }
  expect(formatProgressLine('層層層層層層層層/layer.tar', ended, 40)).toBe('層層層層/layer.tar  unpacked, 3 entries')
  expect(formatProgressLine('evil\u001b[2J', ended, 80)).toBe('evil\\u001b[2J  unpacked, 3 entries')
})

describe('a line is narrower than the terminal, and has all four facts from 30 columns on', () => {
  const names = [
    digest,
    'a/b/layer.tar',
    '日本語'.repeat(30),
    '😀'.repeat(50),
    'e\u0301'.repeat(90),
    'x'.repeat(500),
    '',
  ]
  const sizes = [1, 999, 1000, 999_499, 999_500, 99_949_999, 1e9, 9.95e11, 9e15]
  const all = sizes.flatMap((size) =>
    [0, 0.5, 1].flatMap((part) =>
      [undefined, 0.001, 1, 999, 9.95e6, 1e12].map((speed) => going(Math.floor(size * part), size, speed)),
    ),
  )
  const ends: LayerProgress[] = [{ kind: 'ended', text: 'unpacked, 123456 entries' }, going(9e15, undefined, 1e12)]

  test.each([1, 2, 10, 29, 30, 31, 40, 59, 60, 72, 79, 80, 81, 120, 200, 300])('%i columns', (columns) => {
    for (const name of names) {
      for (const progress of [...all, ...ends]) {
        const line = formatProgressLine(name, progress, columns)
        expect(columnsOf(line), line).toBeLessThan(columns)
        if (columns < 30 || progress.kind === 'ended' || progress.size === undefined) continue
        expect(line).toMatch(/\d%/)
        if (progress.bytesPerSecond && progress.bytes < progress.size) expect(line).toMatch(/B\/s +\d+[smhd]/)
      }
    }
  })
})
