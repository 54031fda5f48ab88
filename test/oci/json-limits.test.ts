import { expect, test } from 'vitest'
import { checkJsonLimits } from '../../src/oci/json-limits.ts'
import { parseRuntimeConfig } from '../../src/oci/runtime-config.ts'
import { collidingKeys } from '../interpreter/colliding-keys.ts'

const plain = '{"ociVersion":"1.0.2","process":{"args":["sh"],"cwd":"/"},"root":{"path":"rootfs"},"x":'
const deep = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)

test('a document is as deep as 10,000 values, and no deeper', () => {
  expect(() => parseRuntimeConfig(`${plain}${deep(9999)}}`)).not.toThrow()
  expect(() => parseRuntimeConfig(`${plain}${deep(10_000)}}`)).toThrow(
    `config.json is not JSON: line 1, column ${plain.length + 10_000}: more than 10000 values are nested`,
  )
  expect(() => parseRuntimeConfig(deep(10_000_00))).toThrow('more than 10000 values are nested')
})

test('brackets in strings are no depth', () => {
  expect(() => parseRuntimeConfig(`${plain}"${'['.repeat(20_000)}\\"${'{'.repeat(20_000)}"}`)).not.toThrow()
})

test('a document has 16,384 different strings, and any number of the same', () => {
  const member = (value: unknown) => `${plain}${JSON.stringify(value)}}`
  const strings = (count: number) => Array.from({ length: count }, (_, at) => `string ${at}`)
  expect(() => parseRuntimeConfig(member(strings(16_300)))).not.toThrow()
  expect(() => parseRuntimeConfig(member(strings(17_000)))).toThrow('there are more than 16384 different strings')
  expect(() => parseRuntimeConfig(member(Object.fromEntries(strings(17_000).map((name) => [name, name]))))).toThrow(
    'there are more than 16384 different strings',
  )
  expect(() => parseRuntimeConfig(member(Array(200_000).fill({ path: '/dev/null' })))).not.toThrow()
})

test('strings that collide in an engine are counted, whatever the secret is', { timeout: 120_000 }, () => {
  const text = JSON.stringify(collidingKeys(40_000))
  for (let time = 0; time < 1000; time++) {
    expect(() => checkJsonLimits(text)).toThrow('there are more than 16384 different strings')
  }
})
