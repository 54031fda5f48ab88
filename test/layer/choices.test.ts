import { afterEach, expect, test } from 'vitest'
import { type Choices, createRootfs } from '../../src/layer/rootfs.ts'
import { startTree } from '../../src/runtime/tree-process.ts'
import { createFixture, type Fixture, listing } from './rootfs-fixture.ts'
import { directory, file, symlink, tar } from './tar/builder.ts'

let fixture: Fixture | undefined
afterEach(() => fixture?.remove())

async function tree(choices: Choices, ...layers: readonly Buffer[]): Promise<string[]> {
  fixture = createFixture(choices)
  await fixture.build(...layers)
  return listing(fixture.rootfs)
}

const usrMerged = tar(
  directory('usr/lib'),
  file('usr/lib/libc', 'c'),
  symlink('lib', 'usr/lib'),
  symlink('etc', '/nowhere'),
)

test('a file below a link of a lower layer goes where the link leads', async () => {
  expect(await tree({}, usrMerged, tar(file('lib/new', 'x')))).toEqual([
    'etc -> /nowhere',
    'lib -> usr/lib',
    'usr/',
    'usr/lib/',
    'usr/lib/libc = c',
    'usr/lib/new = x',
  ])
})

test('with strictOverlay a directory hides the link, as in a stack of overlay mounts', async () => {
  expect(await tree({ strictOverlay: true }, usrMerged, tar(file('lib/new', 'x')))).toEqual([
    'etc -> /nowhere',
    'lib/',
    'lib/new = x',
    'usr/',
    'usr/lib/',
    'usr/lib/libc = c',
  ])
})

test('with strictOverlay a link of the same layer is followed, and whiteouts do not reach through one of a lower layer', async () => {
  const upper = tar(symlink('own', 'usr/lib'), file('own/new', 'x'), file('lib/.wh.libc'), file('lib/.wh..wh..opq'))
  expect(await tree({ strictOverlay: true }, usrMerged, upper)).toEqual([
    'etc -> /nowhere',
    'lib -> usr/lib',
    'own -> usr/lib',
    'usr/',
    'usr/lib/',
    'usr/lib/libc = c',
    'usr/lib/new = x',
  ])
})

test('a directory replaces a link to one, unless keepDirlinks lets it merge with where that leads', async () => {
  const upper = tar(directory('lib', { mode: 0o700 }), file('lib/new', 'x'), directory('etc'))
  expect(await tree({}, usrMerged, upper)).toEqual([
    'etc/',
    'lib/',
    'lib/new = x',
    'usr/',
    'usr/lib/',
    'usr/lib/libc = c',
  ])
  fixture?.remove()
  expect(await tree({ keepDirlinks: true }, usrMerged, upper)).toEqual([
    'etc/',
    'lib -> usr/lib',
    'usr/',
    'usr/lib/',
    'usr/lib/libc = c',
    'usr/lib/new = x',
  ])
})

test('strictOverlay and keepDirlinks together are refused', () => {
  const options = { strictOverlay: true, keepDirlinks: true, applyNodeOps: async () => {}, startTree }
  expect(() => createRootfs('/nowhere/rootfs', options)).toThrow(expect.objectContaining({ code: 'ERR_USAGE' }))
})
