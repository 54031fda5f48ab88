import { expect, test } from 'vitest'
import { digestAlgorithm, digestHex, parseDigest } from '../../src/oci/digest.ts'

const hex = 'a'.repeat(64)

test('sha256 and sha512 digests are read', () => {
  expect(parseDigest(`sha256:${hex}`)).toBe(`sha256:${hex}`)
  const long = parseDigest(`sha512:${hex}${hex}`)
  expect([digestAlgorithm(long), digestHex(long)]).toEqual(['sha512', hex + hex])
})

test.each([
  '',
  'sha256',
  'sha256:',
  hex,
  `sha256:${hex.slice(1)}`,
  `sha256:${hex}a`,
  `sha256:${hex.toUpperCase()}`,
  `sha256:${'g'.repeat(64)}`,
  `sha256:${hex}\n`,
  `sha256:${hex}:${hex}`,
  `md5:${hex.slice(32)}`,
  `sha512:${hex}`,
  `constructor:${hex}`,
  `sha256:../../${hex.slice(6)}`,
  ` sha256:${hex}`,
])('%j is not a digest (CVE-2024-3727)', (text) => {
  expect(() => parseDigest(text)).toThrow(expect.objectContaining({ code: 'ERR_DIGEST_INVALID' }))
})
