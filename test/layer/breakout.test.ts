import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createFixture, type Fixture, listing } from './rootfs-fixture.ts'
import { directory, file, hardlink, symlink, tar } from './tar/builder.ts'

/** Archives that try to write, link, change or remove something outside the rootfs. */

let fixture: Fixture
let cwd: string

beforeEach(() => {
  fixture = createFixture()
  cwd = process.cwd()
  // The files beside the rootfs, in the working directory and next to it by name, must stay unchanged.
  mkdirSync(join(fixture.top, 'work'))
  writeFileSync(join(fixture.top, 'work/canary'), 'untouched')
  symlinkSync('../canary', join(fixture.top, 'work/link'))
  process.chdir(join(fixture.top, 'work'))
})
afterEach(() => {
  process.chdir(cwd)
  fixture.remove()
})

const outside = (): unknown => ({
  top: readdirSync(fixture.top).sort(),
  evil: readdirSync(join(fixture.top, 'rootfs-evil')),
  work: listing(join(fixture.top, 'work')),
  canary: readFileSync(join(fixture.top, 'canary'), 'utf8'),
  modes: ['', 'canary', 'work', 'work/canary', 'rootfs-evil'].map((path) => {
    const { mode, nlink, ctimeMs } = statSync(join(fixture.top, path))
    return path === '' ? mode : [mode, nlink, ctimeMs]
  }),
})

const whiteout = (path: string): Buffer => file(path.replace(/([^/]*)$/, '.wh.$1'))

/** Attacks, each with the content of the rootfs afterwards, or the error. */
const attacks: readonly (readonly [string, (top: string) => Buffer[][], readonly string[] | RegExp])[] = [
  ['parents in a name', () => [[file('../canary', 'x'), file('a/../../canary2', 'y')]], ['canary = x', 'canary2 = y']],
  ['an absolute name', (top) => [[file(`${top}/canary`, 'x')]], [/canary = x$/.source]],
  ['many slashes before an absolute name (CVE-2021-32804)', () => [[file('////abs', 'x')]], ['abs = x']],
  [
    'a symlink up and out, then a file through it',
    () => [[symlink('up', '../..'), file('up/canary', 'x')]],
    ['canary = x', 'up -> ../..'],
  ],
  [
    'an absolute symlink to the host, then a file through it (CVE-2014-9356)',
    (top) => [[symlink('link', `${top}`), file('link/canary', 'x')]],
    [/canary = x$/.source],
  ],
  [
    'a file over a symlink to a file of the host',
    (top) => [[symlink('link', `${top}/canary`), file('link', 'x')]],
    ['link = x'],
  ],
  [
    'a chain of symlinks (CVE-2020-27833)',
    () => [[directory('a'), symlink('a/up', '..'), symlink('a/x', 'up/../../..'), file('a/x/canary', 'x')]],
    ['a/', 'a/up -> ..', 'a/x -> up/../../..', 'canary = x'],
  ],
  [
    'a directory that becomes a symlink after it was seen (CVE-2021-32803)',
    () => [[directory('d'), file('d/f', '1'), symlink('d', '..'), file('d/canary', 'x')]],
    ['canary = x', 'd -> ..'],
  ],
  [
    'a symlink flipped between directory and link across layers',
    () => [[directory('d')], [symlink('d', '/..')], [directory('d'), file('d/canary', 'x')]],
    ['d/', 'd/canary = x'],
  ],
  ['a hard link to a file of the host', (top) => [[hardlink('h', `${top}/canary`)]], /does not exist/],
  ['a hard link with parents in its target', () => [[hardlink('h', '../canary')]], /does not exist/],
  ['a hard link relative to the working directory', () => [[hardlink('h', 'canary')]], /does not exist/],
  [
    'a hard link through a symlink to the host',
    (top) => [[symlink('s', top), hardlink('h', 's/canary')]],
    /does not exist/,
  ],
  [
    'a hard link to a symlink, then a file over it: neither writes where the link leads',
    (top) => [[symlink('s', `${top}/canary`), hardlink('h', 's'), file('h', 'x', { mode: 0o777 })]],
    [/^h = x$/.source, /^s -> .*canary$/.source],
  ],
  [
    'a hard link to a symlink that exists in the working directory',
    () => [[hardlink('h', 'link'), file('h', 'x')]],
    /does not exist/,
  ],
  [
    'a sibling whose name begins like the rootfs',
    () => [[symlink('s', '../rootfs-evil'), file('s/f', 'x'), file('../rootfs-evil/g', 'y')]],
    ['rootfs-evil/', 'rootfs-evil/f = x', 'rootfs-evil/g = y', 's -> ../rootfs-evil'],
  ],
  [
    'a whiteout through a symlink to the host',
    (top) => [[symlink('s', top)], [whiteout('s/canary'), file('s/.wh..wh..opq')]],
    [/^s -> /.source],
  ],
  [
    'a whiteout with parents in its name',
    () => [[file('f', '1')], [whiteout('../canary'), whiteout('x/../../work')]],
    ['f = 1'],
  ],
  [
    'a directory entry over a symlink to the host changes no mode there (CVE-2021-32760)',
    (top) => [[symlink('s', top)], [directory('s', { mode: 0o777, mtime: 1 })]],
    ['s/'],
  ],
  [
    'a symlink to /proc/self/cwd and /proc/self/fd',
    () => [[symlink('c', '/proc/self/cwd'), file('c/canary', 'x')]],
    ['c -> /proc/self/cwd', 'proc/', 'proc/self/', 'proc/self/cwd/', 'proc/self/cwd/canary = x'],
  ],
]

test.each(attacks)('%s', async (_name, layersOf, outcome) => {
  const before = outside()
  const built = fixture.build(...layersOf(fixture.top).map((members) => tar(...members)))
  if (outcome instanceof RegExp) await expect(built).rejects.toThrow(outcome)
  else {
    await built
    const seen = listing(fixture.rootfs)
    for (const line of outcome) {
      if (/[\^$\\]/.test(line))
        expect(
          seen.some((entry) => new RegExp(line).test(entry)),
          line,
        ).toBe(true)
      else expect(seen).toContain(line)
    }
  }
  expect(outside()).toEqual(before)
})
