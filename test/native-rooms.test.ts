import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

/** The rooms of native/, each with those whose headers it may include. native/README.md explains the map. */
const rooms: Readonly<Record<string, readonly string[]>> = {
  contract: [],
  system: ['contract'],
  runner: ['system', 'contract'],
  front: ['runner', 'system', 'contract'],
  // No room of these binaries: what QuickJS needs of a C library.
  interpreter: [],
}

const native = join(import.meta.dirname, '../native')
const sources = readdirSync(native, { recursive: true, encoding: 'utf8' }).filter((path) => /\.[ch]$/.test(path))
const textOf = (path: string): string => readFileSync(join(native, path), 'utf8')
const roomOf = (path: string): string => (path.includes('/') ? (path.split('/')[0] ?? '') : path.replace(/\.h$/, ''))

/** The headers of this project that a file includes: its lines `#include "room/name.h"`. */
const includesOf = (path: string): readonly string[] =>
  textOf(path)
    .split('\n')
    .filter((line) => line.startsWith('#include "'))
    .map((line) => line.split('"')[1] ?? '')

test('every file of native/ is in a room, and includes only what its room may', () => {
  expect([...new Set(sources.map(roomOf))].sort()).toEqual(Object.keys(rooms).sort())
  for (const path of sources) {
    for (const included of includesOf(path)) {
      expect(sources, `${path} includes ${included} by its path from native/`).toContain(included)
      const target = roomOf(included)
      if (target !== roomOf(path)) expect(rooms[roomOf(path)], `${path} includes ${included}`).toContain(target)
    }
  }
})

test('no header includes itself, directly or through others', () => {
  const below = (path: string, above: readonly string[]): void => {
    expect(above, `${[...above, path].join(' -> ')}`).not.toContain(path)
    for (const included of includesOf(path)) below(included, [...above, path])
  }
  for (const path of sources) below(path, [])
})

/** Code without comments. */
const codeOf = (path: string): string => textOf(path).replaceAll(/\/\*.*?\*\//gs, '')

test.each(sources.filter((path) => ['system', 'runner'].includes(roomOf(path))))(
  '%s knows no OCI, no JSON, no option of the command line and nothing of the front',
  (path) => {
    const words = /json|\boci|\bconfig|bundle\b(?!-tool)|front|freez|rootless|v1\b|v2\b|"--\w/i
    const lines = codeOf(path).split('\n')
    expect(lines.filter((line) => words.test(line))).toEqual([])
  },
)

test('the runner is linked alone: it has nothing of the front', () => {
  const text = readFileSync(join(import.meta.dirname, '../dist/bundle-tool-runner'), 'latin1')
  expect(text).toContain('bundle-tool:execute')
  expect(text).not.toMatch(/--console-socket|bin\/boot|Node\.js|cgroup\.freeze/)
})

test('the front decides nothing about cgroups: their files and values are in the record of a container', () => {
  const policy = /freezer\.|cgroup\.|unified|rootless|systemd(?!_CGROUP)|\bv[12]\b|"(?:FROZEN|THAWED)/
  const lines = sources
    .filter((path) => roomOf(path) === 'front')
    .flatMap((path) =>
      codeOf(path)
        .split('\n')
        .filter((line) => policy.test(line)),
    )
  expect(lines).toEqual([])
})
