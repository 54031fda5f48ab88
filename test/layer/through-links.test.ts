import { existsSync, lstatSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createFixture, type Fixture, listing } from './rootfs-fixture.ts'
import { directory, file, hardlink, symlink, tar } from './tar/builder.ts'

/**
 * Links that seem to lead out of the rootfs and lead into it: the cases of containerd's TestBreakouts that the tests of
 * the rules and the attacks lack. Real images have absolute symlinks, and links with more parents than exist.
 */

let fixture: Fixture
beforeEach(() => {
  fixture = createFixture()
})
afterEach(() => fixture.remove())

const inode = (path: string): number => lstatSync(join(fixture.rootfs, path)).ino

const links: readonly (readonly [string, string, string])[] = [
  ['absolute', 'way', '/host'],
  ['with a detour', 'way', '/other/../host'],
  ['up more often than there are parents', 'way', '../../../../../../../host'],
  ['down, then up and out', 'way', 'nowhere/../../../host'],
  ['in a directory, relative', 'in/way', '../../host'],
  ['in a directory, down and out', 'in/way', '../in/../../host'],
  ['to a link', 'way', '/in/second'],
  ['with a slash at its end', 'way', '/host/'],
  ['named with parents', 'in/deeper/../way', '/host'],
]

test.each(links)(
  'a symlink %s: files, hard links and whiteouts go where it leads within the rootfs',
  async (_, name, target) => {
    const way = name.replace('deeper/../', '')
    await fixture.build(
      tar(directory('host'), directory('in'), directory('other'), file('host/old', '1'), file('host/kept', '2')),
      tar(
        symlink('in/second', '/host'),
        symlink(name, target),
        file(`/${way}/new`, '3'),
        hardlink(`in/hard`, `/${way}/kept`),
        file(`${way}/old`, ''),
      ),
      tar(file(`${way}/.wh.old`), file(`${way}/new`, '')),
    )
    expect(listing(join(fixture.rootfs, 'host'))).toEqual(['kept = 2', 'new = '])
    expect(inode('in/hard')).toBe(inode('host/kept'))
    expect(listing(fixture.top).filter((line) => !line.startsWith('rootfs/'))).toEqual([
      'canary = untouched',
      'rootfs-evil/',
    ])
  },
)

test.each(['../../../../../host/f', '/host/f', '../host/./f', 'host//f'])(
  'a hard link to "%s" is one to host/f',
  async (to) => {
    await fixture.build(tar(file('host/f', '1'), hardlink('h', to)))
    expect(inode('h')).toBe(inode('host/f'))
  },
)

test('a hard link to a symlink is a second symlink, before and after its target exists', async () => {
  await fixture.build(
    tar(symlink('s', '/host/f'), hardlink('early', 's'), file('host/f', '1', { mode: 0o400 }), hardlink('late', '/s')),
  )
  expect([inode('early'), inode('late')]).toEqual([inode('s'), inode('s')])
  expect(lstatSync(join(fixture.rootfs, 'host/f')).mode & 0o7777).toBe(0o400)
})

test('a directory replaced by a symlink is the symlink, and a symlink replaced by a directory is the directory', async () => {
  await fixture.build(
    tar(directory('host'), file('host/f', '1'), directory('a'), symlink('b', '/host')),
    tar(symlink('a', '../../host'), hardlink('a/g', '/host/f'), directory('b'), file('b/f', 'other')),
  )
  expect(listing(fixture.rootfs)).toEqual(['a -> ../../host', 'b/', 'b/f = other', 'host/', 'host/f = 1', 'host/g = 1'])
  expect(inode('host/g')).toBe(inode('host/f'))
})

test('a directory that is a symlink to the root for a while writes below the root, and then into itself', async () => {
  const outside = join(fixture.top, 'breakout')
  await fixture.build(
    tar(
      directory('foo'),
      file(`foo${outside}`, '1'),
      symlink('foo', '/'),
      file(`foo${outside}`, '2'),
      directory('foo'),
      file(`foo${outside}`, '3'),
    ),
  )
  const found = listing(fixture.rootfs).filter((line) => line.includes(' = '))
  expect(found).toEqual([`foo${outside} = 3`, `${outside.slice(1)} = 2`].sort())
  expect(existsSync(outside)).toBe(false)
})

test('a whiteout below a symlink to a missing directory does nothing; one with parents in its name means the normalised name', async () => {
  await fixture.build(
    tar(file('etc/passwd', '1'), file('old/f', '2'), symlink('dead', '/nowhere')),
    tar(file('dead/.wh.etc'), file('nowhere/../.wh.old')),
  )
  expect(listing(fixture.rootfs)).toEqual(['dead -> /nowhere', 'etc/', 'etc/passwd = 1'])
})
