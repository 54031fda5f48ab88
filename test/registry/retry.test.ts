import { expect, test } from 'vitest'
import { backoffMs, isTransientStatus } from '../../src/registry/retry.ts'

const now = Date.parse('2026-01-01T00:00:00Z')

test.each([
  ['3', 3000],
  ['0', 0],
  ['100000', 60_000],
  ['Thu, 01 Jan 2026 00:00:10 GMT', 10_000],
  ['Wed, 31 Dec 2025 00:00:00 GMT', 0],
  ['Thu, 01 Jan 2099 00:00:00 GMT', 60_000],
])('Retry-After: %s is a wait of %i ms', (header, ms) => {
  expect(backoffMs(1, header, now)).toBe(ms)
})

test.each([undefined, '', 'soon'])(
  'with Retry-After: %s waits double, give or take a quarter, up to a minute',
  (header) => {
    for (const [attempt, ms] of [
      [1, 500],
      [2, 1000],
      [3, 2000],
      [4, 4000],
      [20, 60_000],
    ] as const) {
      const wait = backoffMs(attempt, header, now)
      expect(wait).toBeGreaterThanOrEqual(ms * 0.75)
      expect(wait).toBeLessThanOrEqual(ms * 1.25)
    }
  },
)

test('a transient error is tried again, a permanent one is not', () => {
  for (const status of [408, 429, 500, 502, 503, 504, 507]) expect(isTransientStatus(status), `${status}`).toBe(true)
  for (const status of [200, 301, 400, 401, 403, 404, 405, 410, 416, 501, 505]) {
    expect(isTransientStatus(status), `${status}`).toBe(false)
  }
})
