import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { parseExactJson } from '../../src/oci/json.ts'
import { checkRuntimeConfig } from '../../src/oci/runtime-config-schema.ts'
import { randomFrom } from '../conformance/seccomp-profiles.ts'

const programs = join(import.meta.dirname, '../../fixtures/programs')
const files = readdirSync(programs, { recursive: true, encoding: 'utf8' }).filter((file) =>
  file.endsWith('config.json'),
)

/** The same schemas, made with what stands in for zod. */
async function plainCheck(): Promise<typeof checkRuntimeConfig> {
  vi.resetModules()
  vi.doMock('zod/mini', () => import('../../src/oci/plain-schema.ts'))
  const { checkRuntimeConfig: check } = await import('../../src/oci/runtime-config-schema.ts')
  vi.doUnmock('zod/mini')
  expect(check({})).toEqual({ kind: 'invalid', problems: [] }) // zod would have said what is missing
  return check
}

const verdict = (check: typeof checkRuntimeConfig, value: unknown): unknown => {
  const result = check(value)
  return result.kind === 'valid' ? JSON.stringify(result.config, withBigints) : 'invalid'
}
const withBigints = (_key: string, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value)

type Place = readonly [parent: Record<PropertyKey, unknown>, key: PropertyKey]

function placesIn(value: unknown): readonly Place[] {
  if (typeof value !== 'object' || value === null) return []
  const parent = value as Record<PropertyKey, unknown>
  return Object.keys(parent).flatMap((key) => [[parent, key] as const, ...placesIn(parent[key])])
}

const odd: readonly unknown[] = [
  ...[undefined, null, true, false, '', '/', 'x', 'a=b', '=', 'a\0b', '2MB', 'SCMP_ACT_ALLOW', 'network'],
  ...[-1, 0, 1, 1.5, -(2 ** 31), 2 ** 31, 2 ** 32 - 2, 2 ** 32 - 1, 2 ** 32, 2n ** 63n, 2n ** 64n - 1n, 2n ** 64n],
  ...[[], {}, [null], ['x'], [{}], { x: 1 }, { path: '/x' }, JSON.parse('{ "__proto__": "x" }')],
]

describe('what stands in for zod takes what zod takes, and makes the same of it', () => {
  test.each(files)('%s, and changes to it', async (file) => {
    const check = await plainCheck()
    const text = readFileSync(join(programs, file), 'utf8')
    const whole = verdict(checkRuntimeConfig, parseExactJson(text))
    expect(whole).not.toBe('invalid')
    expect(verdict(check, parseExactJson(text))).toBe(whole)
    const random = randomFrom(file.length * 7919)
    let invalid = 0
    for (let round = 0; round < 400; round++) {
      const value = parseExactJson(text)
      const places = placesIn(value)
      const [parent, key] = places[random(places.length)] as Place
      parent[random(6) === 0 ? 'extra' : key] = odd[random(odd.length)]
      const expected = verdict(checkRuntimeConfig, value)
      const what = `${String(key)}: ${JSON.stringify(parent[key], withBigints)}`
      // A map with this name in it is rare enough to be left to zod.
      if (!JSON.stringify(value, withBigints).includes('__proto__')) expect(verdict(check, value), what).toBe(expected)
      else expect(['invalid', expected], what).toContain(verdict(check, value))
      if (expected === 'invalid') invalid++
    }
    expect(invalid).toBeGreaterThan(40)
    expect(invalid).toBeLessThan(360)
  })
})
