import { expect, test } from 'vitest'
import { parseDuration } from '../../src/cli/duration.ts'

test.each([
  ['5s', 5000],
  ['+1.5s', 1500],
  ['1h30m', 5_400_000],
  ['100ms', 100],
  ['250us', 0.25],
  ['250\u00b5s', 0.25],
  ['250\u03bcs', 0.25],
  ['1ns', 1e-6],
])('%s is %d ms', (text, ms) => {
  expect(parseDuration(text)).toBeCloseTo(ms, 9)
})

test.each(['', '5', 's', '-1s', '0s', '5 s', '1d', '5S'])('"%s" is refused', (text) => {
  expect(() => parseDuration(text)).toThrow(/must be/)
})
