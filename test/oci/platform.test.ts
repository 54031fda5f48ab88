import { describe, expect, test } from 'vitest'
import { choosePlatform } from '../../src/oci/choose-platform.ts'
import type { Descriptor } from '../../src/oci/descriptor.ts'
import { parseDigest } from '../../src/oci/digest.ts'
import { formatPlatform, hostPlatform, parsePlatform } from '../../src/oci/platform.ts'

const digest = parseDigest(`sha256:${'0'.repeat(64)}`)
const entry = (platform?: string, annotations?: Record<string, string>): Descriptor => {
  const [os = '', architecture = '', variant] = platform?.split('/') ?? []
  return {
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    digest,
    size: 1,
    ...(annotations && { annotations }),
    ...(platform !== undefined && { platform: { os, architecture, ...(variant && { variant }) } }),
  }
}

function choose(offered: readonly (string | undefined)[], wanted: string): number {
  const entries = offered.map((platform) => entry(platform))
  const chosen = choosePlatform(entries, parsePlatform(wanted))
  return chosen === undefined ? -1 : entries.indexOf(chosen)
}

describe('choosing from an index', () => {
  test.each<[string, (string | undefined)[], string, number]>([
    ['the same platform', ['linux/arm64', 'linux/amd64'], 'linux/amd64', 1],
    ['nothing for another architecture', ['linux/arm64'], 'linux/amd64', -1],
    ['nothing for another system', ['windows/amd64'], 'linux/amd64', -1],
    ['the exact variant before others', ['linux/arm/v5', 'linux/arm/v6', 'linux/arm/v7'], 'linux/arm/v6', 1],
    ['the best lesser variant', ['linux/arm/v5', 'linux/arm/v6'], 'linux/arm/v7', 1],
    ['never a greater variant', ['linux/arm/v7'], 'linux/arm/v6', -1],
    ['v7 for plain arm', ['linux/arm/v5', 'linux/arm/v7'], 'linux/arm', 1],
    ['arm64/v8 for arm64', ['linux/arm64/v8'], 'linux/arm64', 0],
    ['plain arm64 for arm64/v8', ['linux/arm64'], 'linux/arm64/v8', 0],
    ['plain amd64 before amd64/v2', ['linux/amd64/v2', 'linux/amd64'], 'linux/amd64', 1],
    ['amd64/v2 for a v3 CPU', ['linux/amd64', 'linux/amd64/v2'], 'linux/amd64/v3', 1],
    ['the first of equals', ['linux/amd64', 'linux/amd64'], 'linux/amd64', 0],
    ['a lone entry without platform', [undefined], 'linux/amd64', 0],
    ['a lone entry beside attestations', [undefined, 'unknown/unknown'], 'linux/amd64', 0],
    ['no entry without platform among several', [undefined, 'linux/arm64'], 'linux/amd64', -1],
    ['never an attestation', ['unknown/unknown'], 'linux/amd64', -1],
    ['other names of an architecture', ['linux/aarch64'], 'linux/arm64', 0],
  ])('takes %s', (_, offered, wanted, index) => {
    expect(choose(offered, wanted)).toBe(index)
  })

  test('skips an attestation that names a real platform', () => {
    const attestation = entry('linux/amd64', { 'vnd.docker.reference.type': 'attestation-manifest' })
    expect(choosePlatform([attestation], parsePlatform('linux/amd64'))).toBeUndefined()
  })
})

test.each([
  ['linux/amd64', 'linux/amd64'],
  ['Linux/x86_64', 'linux/amd64'],
  ['linux/armhf', 'linux/arm/v7'],
  ['linux/arm/6', 'linux/arm/v6'],
])('%s reads as %s', (text, full) => {
  expect(formatPlatform(parsePlatform(text))).toBe(full)
})

test.each(['', 'linux', 'linux/', 'a/b/c/d', 'linux/am d64', '../x'])('%j is not a platform', (text) => {
  expect(() => parsePlatform(text)).toThrow(expect.objectContaining({ code: 'ERR_USAGE' }))
})

test('the host platform is in Go names', () => {
  expect(formatPlatform(hostPlatform({ arch: 'x64' }))).toBe('linux/amd64')
  expect(formatPlatform(hostPlatform({ arch: 'arm', armVersion: '7' }))).toBe('linux/arm/v7')
})
