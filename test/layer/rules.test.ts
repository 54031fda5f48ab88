import { lstatSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createFixture, type Fixture, inPieces, listing } from './rootfs-fixture.ts'
import { directory, file, hardlink, pax, symlink, tar } from './tar/builder.ts'

/** The rules of image-spec layer.md, and the cases in which tools are known to disagree. */

let fixture: Fixture

beforeEach(() => {
  fixture = createFixture()
})
afterEach(() => {
  fixture.remove()
})

const whiteout = (path: string): Buffer => file(path.replace(/([^/]*)$/, '.wh.$1'))
const opaque = (dir: string): Buffer => file(`${dir}.wh..wh..opq`)
const mtimeOf = (path: string): number => lstatSync(join(fixture.rootfs, path)).mtimeMs / 1000

interface Case {
  readonly name: string
  readonly layers: readonly (readonly Buffer[])[]
  readonly tree: readonly string[]
}

const whiteouts: readonly Case[] = [
  {
    name: "a whiteout removes a file, a tree or a link of a lower layer, but not the link's target",
    layers: [
      [file('f', '1'), file('d/e/f', '2'), file('keep', '3'), symlink('l', 'keep')],
      [whiteout('f'), whiteout('d'), whiteout('l')],
    ],
    tree: ['keep = 3'],
  },
  {
    name: 'a file stays when its whiteout comes after it in the same layer',
    layers: [[file('foo', 'lower')], [file('foo', 'upper'), whiteout('foo')]],
    tree: ['foo = upper'],
  },
  {
    name: 'a file stays when its whiteout comes before it in the same layer',
    layers: [[file('foo', 'lower')], [whiteout('foo'), file('foo', 'upper')]],
    tree: ['foo = upper'],
  },
  {
    name: 'a whiteout of a directory of its own layer removes the entries of lower layers in it',
    layers: [
      [file('d/lower', '1'), file('d/e/lower', '2')],
      [directory('d'), file('d/e/upper', '3'), whiteout('d')],
    ],
    tree: ['d/', 'd/e/', 'd/e/upper = 3'],
  },
  {
    name: 'an opaque whiteout at the end spares new files without entries for their directories',
    layers: [
      [file('a/b/old', '1'), file('a/old', '2')],
      [directory('a'), file('a/b/c/new', '3'), opaque('a/')],
    ],
    tree: ['a/', 'a/b/', 'a/b/c/', 'a/b/c/new = 3'],
  },
  {
    name: 'an opaque whiteout at the start does the same',
    layers: [[file('a/b/old', '1')], [opaque('a/'), file('a/b/c/new', '3')]],
    tree: ['a/', 'a/b/', 'a/b/c/', 'a/b/c/new = 3'],
  },
  {
    name: 'an opaque whiteout of the root empties it',
    layers: [
      [file('a', '1'), file('b/c', '2')],
      [file('new', '3'), opaque('')],
    ],
    tree: ['new = 3'],
  },
  {
    name: 'an opaque whiteout of the same layer leaves hard links and symlinks of that layer',
    layers: [
      [file('d/f', '1'), file('other', '2')],
      [hardlink('d/h', 'other'), symlink('d/s', 'h'), opaque('d/')],
    ],
    tree: ['d/', 'd/h = 2', 'd/s -> h', 'other = 2'],
  },
  {
    name: 'whiteouts of files that do not exist do nothing and make nothing',
    layers: [
      [file('f', '1')],
      [opaque('nodir/'), whiteout('a/b/nope'), whiteout('nope'), whiteout('f/below'), opaque('f/')],
    ],
    tree: ['f = 1'],
  },
  {
    name: 'a whiteout in a directory that a lower symlink names acts where the link leads',
    layers: [[file('usr/lib/f', '1'), file('usr/lib/g', '2'), symlink('lib', 'usr/lib')], [whiteout('lib/f')]],
    tree: ['lib -> usr/lib', 'usr/', 'usr/lib/', 'usr/lib/g = 2'],
  },
  {
    name: 'a directory with an opaque whiteout over a lower symlink replaces the link and spares its target',
    layers: [
      [file('t/f', '1'), symlink('d', 't')],
      [directory('d'), opaque('d/'), file('d/new', '2')],
    ],
    tree: ['d/', 'd/new = 2', 't/', 't/f = 1'],
  },
  {
    name: 'the same with the whiteout first',
    layers: [
      [file('t/f', '1'), symlink('d', 't')],
      [opaque('d/'), directory('d'), file('d/new', '2')],
    ],
    tree: ['d/', 'd/new = 2', 't/', 't/f = 1'],
  },
  {
    name: '.wh. at the start of a directory component is an ordinary name',
    layers: [[file('etc/f2', '1')], [file('.wh.etc/f2', '2')]],
    tree: ['.wh.etc/', '.wh.etc/f2 = 2', 'etc/', 'etc/f2 = 1'],
  },
  {
    name: "AUFS's hard links are links, and its own files are not extracted",
    layers: [
      [
        file('.wh..wh.aufs'),
        directory('.wh..wh.orph'),
        directory('.wh..wh.plnk'),
        file('.wh..wh.plnk/12.34', 'linked'),
        hardlink('a', '.wh..wh.plnk/12.34'),
        hardlink('d/b', '.wh..wh.plnk/12.34'),
      ],
    ],
    tree: ['a = linked', 'd/', 'd/b = linked'],
  },
]

const collisions: readonly Case[] = [
  {
    name: 'a directory over a lower symlink to a directory replaces the link',
    layers: [
      [file('usr/lib/f', '1'), symlink('lib', 'usr/lib')],
      [directory('lib'), file('lib/g', '2')],
    ],
    tree: ['lib/', 'lib/g = 2', 'usr/', 'usr/lib/', 'usr/lib/f = 1'],
  },
  {
    name: 'a file beneath a lower symlink goes where that leads, relative or absolute',
    layers: [
      [directory('usr'), directory('usr/lib'), symlink('lib', 'usr/lib'), symlink('lib64', '/usr/lib')],
      [file('lib/f', '1'), file('lib64/g', '2')],
    ],
    tree: ['lib -> usr/lib', 'lib64 -> /usr/lib', 'usr/', 'usr/lib/', 'usr/lib/f = 1', 'usr/lib/g = 2'],
  },
  {
    name: 'a file beneath a symlink to a missing directory makes that directory',
    layers: [[symlink('lib', 'usr/./lib/../lib'), file('lib/f', '1')]],
    tree: ['lib -> usr/./lib/../lib', 'usr/', 'usr/lib/', 'usr/lib/f = 1'],
  },
  {
    name: 'a file over a directory replaces all of it; a directory over a file replaces that',
    layers: [
      [file('a/b/c', '1'), file('x', '2')],
      [file('a', '3'), directory('x')],
    ],
    tree: ['a = 3', 'x/'],
  },
  {
    name: 'a file in the way of a deeper name becomes a directory',
    layers: [[file('n', '1')], [file('n/c/d', '2')]],
    tree: ['n/', 'n/c/', 'n/c/d = 2'],
  },
  {
    name: 'a file over a symlink replaces the link and never its target',
    layers: [[file('target', 'untouched'), symlink('link', 'target')], [file('link', 'new')]],
    tree: ['link = new', 'target = untouched'],
  },
  {
    name: 'overwriting one name of a hard-linked pair leaves the other unchanged',
    layers: [[file('a', 'old'), hardlink('b', 'a')], [file('a', 'new')]],
    tree: ['a = new', 'b = old'],
  },
  {
    name: 'the last of two entries with the same name counts',
    layers: [[file('a', 'first'), file('a', 'second'), file('b', ''), symlink('b', 'a')]],
    tree: ['a = second', 'b -> a'],
  },
  {
    name: 'dots, slashes and parents in names are cleaned, and end at the root',
    layers: [[file('./a//b/./c', '1'), file('/abs', '2'), file('../../esc', '3'), file('a/../top', '4')]],
    tree: ['a/', 'a/b/', 'a/b/c = 1', 'abs = 2', 'esc = 3', 'top = 4'],
  },
  {
    name: 'names that are equal but for Unicode normalisation or case are different names (CVE-2021-37712)',
    layers: [[file('caf\xc3\xa9', '1'), file('cafe\xcc\x81', '2'), file('CAF\xc3\x89', '3')]],
    tree: ['CAF\xc3\x89 = 3', 'cafe\xcc\x81 = 2', 'caf\xc3\xa9 = 1'],
  },
  {
    name: 'names that are not UTF-8, and backslashes, are kept',
    layers: [[file('\xff\xfe/x', '1'), file('a\\b', '2'), symlink('l', '\xff\xfe/x'), file('l2/\x80', '3')]],
    tree: ['a\\b = 2', 'l -> \xff\xfe/x', 'l2/', 'l2/\x80 = 3', '\xff\xfe/', '\xff\xfe/x = 1'],
  },
]

const hardLinks: readonly Case[] = [
  {
    name: 'a hard link to a file of a lower layer, with parents that have no entry',
    layers: [[file('lower', '1')], [hardlink('new/dir/link', 'lower')]],
    tree: ['lower = 1', 'new/', 'new/dir/', 'new/dir/link = 1'],
  },
  {
    name: 'a hard link through a symlinked directory',
    layers: [[file('usr/lib/f', '1'), symlink('lib', '/usr/lib')], [hardlink('lib/g', '/lib/../lib/f')]],
    tree: ['lib -> /usr/lib', 'usr/', 'usr/lib/', 'usr/lib/f = 1', 'usr/lib/g = 1'],
  },
  {
    name: 'a hard link to a symlink is a second name of the link',
    layers: [[symlink('l', 'nowhere'), hardlink('m', 'l')]],
    tree: ['l -> nowhere', 'm -> nowhere'],
  },
  {
    name: 'a hard link to itself changes nothing',
    layers: [[file('a', '1')], [hardlink('a', './a')]],
    tree: ['a = 1'],
  },
  {
    name: 'a hard link survives a whiteout of its target',
    layers: [[file('a', '1')], [hardlink('b', 'a'), whiteout('a')]],
    tree: ['b = 1'],
  },
]

describe.each([
  ['whiteouts', whiteouts],
  ['collisions', collisions],
  ['hard links', hardLinks],
])('%s', (_group, cases) => {
  test.each(cases)('$name', async ({ layers, tree }) => {
    await fixture.build(...layers.map((members) => tar(...members)))
    expect(listing(fixture.rootfs)).toEqual([...tree].sort())
  })
})

test.each([
  ['a hard link to nothing', [hardlink('a', 'missing')], /entry "a" is a hard link to "missing", which does not exist/],
  ['a hard link to a later entry', [hardlink('a', 'b'), file('b')], /which does not exist/],
  ['a hard link to a directory', [directory('d'), hardlink('a', 'd')], /which is a directory/],
  ['a hard link that replaces the directory of its target', [file('d/f'), hardlink('d', 'd/f')], /does not exist/],
  ['a root that is a symlink (CVE-2021-29136)', [symlink('./', '/tmp')], /is the root directory, but has type symlink/],
  ['a root that is a file', [file('.', 'x')], /is the root directory, but has type file/],
  ['a file named ".."', [file('..', 'x')], /is the root directory, but has type file/],
  ['a symlink without a name', [symlink('', 'a')], /is the root directory, but has type symlink/],
  ['a symlink with an empty target', [symlink('a', '')], /is a symlink with an empty target/],
  ['a parent in a loop of links', [symlink('a', 'b'), symlink('b', 'a'), file('a/f')], /more than 40 symlinks/],
  ['a whiteout of nothing', [file('d/.wh.')], /names no file/],
  ['a whiteout of its own directory', [file('d/.wh..')], /names no file/],
  ['a whiteout of its parent', [file('d/.wh...')], /names no file/],
])('%s is refused, and names its layer', async (_what, members, message) => {
  await fixture.builder.apply(inPieces(tar(directory('d'), file('d/keep', 'kept'))))
  const applied = fixture.builder.apply(inPieces(tar(...members)), { name: 'sha256:abc' })
  await expect(applied).rejects.toThrow(message)
  await expect(applied).rejects.toMatchObject({
    code: 'ERR_LAYER_INVALID',
    message: expect.stringMatching(/^layer sha256:abc: /),
  })
})

test.each([
  ['a name of 256 bytes', [file('x', '1', { name: 'ok' }), pax({ path: 'n'.repeat(256) }), file('x')]],
  ['a path of 4096 bytes', [pax({ path: 'd/'.repeat(100) + 'directory/'.repeat(400) }), directory('x')]],
  ['a depth of 600 directories', [pax({ path: 'd/'.repeat(600) }), directory('x')]],
])('%s is refused', async (_what, members) => {
  await expect(fixture.build(tar(...members))).rejects.toMatchObject({ code: 'ERR_LIMIT_EXCEEDED' })
})

test('a name that occurs twice gives a warning', async () => {
  await fixture.build(tar(file('a'), file('a')))
  expect(fixture.warnings).toEqual(['layer 1: entry "a" occurs more than once; the last one counts'])
})

test('the later of two entries for a directory gives all attributes, and none of the earlier one stay', async () => {
  await fixture.build(
    tar(pax({ 'SCHILY.xattr.user.old': '1' }), directory('d', { mode: 0o700, mtime: 5 }), file('d/f', '1')),
    tar(pax({ 'SCHILY.xattr.user.new': '2' }), directory('d', { mode: 0o1777, mtime: 6 })),
  )
  expect(statSync(join(fixture.rootfs, 'd')).mode & 0o7777).toBe(0o1777)
  expect(mtimeOf('d')).toBe(6)
  expect(fixture.ops).toEqual([{ kind: 'setxattr', path: Buffer.from('d'), name: 'user.new', value: Buffer.from('2') }])
})

test('directories that only whiteouts or later files changed keep their time', async () => {
  await fixture.build(
    tar(directory('d', { mtime: 5 }), file('d/f', '1'), directory('e', { mtime: 7 })),
    tar(whiteout('d/f'), file('e/new', '2')),
  )
  expect([mtimeOf('d'), mtimeOf('e')]).toEqual([5, 7])
})

test('parents without an entry have mode 0755 and time 0, and so has the root', async () => {
  await fixture.build(tar(file('a/b/c', '1')))
  for (const path of ['', 'a', 'a/b']) {
    expect(statSync(join(fixture.rootfs, path)).mode & 0o7777, path).toBe(0o755)
    expect(mtimeOf(path), path).toBe(0)
  }
})

test('attributes that only the host or an overlay mount may set are left out, with a warning', async () => {
  const names = ['security.selinux', 'trusted.overlay.opaque', 'user.overlay.redirect', 'system.nfs4_acl']
  await fixture.build(tar(pax(Object.fromEntries(names.map((name) => [`SCHILY.xattr.${name}`, 'y']))), file('a')))
  expect(fixture.ops).toEqual([])
  expect(fixture.warnings).toHaveLength(names.length)
})

test('no operations are passed on for a file that a later layer removes', async () => {
  await fixture.build(
    tar(pax({ 'SCHILY.xattr.user.a': '1', mtime: '1.5' }), file('a'), file('p', '', { type: '6' }), file('keep')),
    tar(whiteout('a'), whiteout('p')),
  )
  expect(fixture.ops).toEqual([])
  expect(listing(fixture.rootfs)).toEqual(['keep = '])
})

test('times of directories that Node.js cannot set exactly are passed on', async () => {
  await fixture.build(tar(pax({ mtime: '3.25' }), directory('d'), pax({ mtime: '4' }), directory('e')))
  expect(fixture.ops).toEqual([{ kind: 'utimens', path: Buffer.from('d'), seconds: 3n, nanoseconds: 250_000_000 }])
})

test('a sparse file has its data in its place and its size', async () => {
  const map = { 'GNU.sparse.size': '100000', 'GNU.sparse.map': '2,3,50000,2' }
  await fixture.build(tar(pax(map), file('s', 'abcde')))
  const expected = Buffer.alloc(100_000)
  expected.write('abc', 2)
  expected.write('de', 50_000)
  expect(listing(fixture.rootfs)).toEqual([`s = ${expected.toString('latin1')}`])
})

test('the holes of a sparse file take no space', async () => {
  const records = { 'GNU.sparse.map': '0,3,99999997,3', 'GNU.sparse.size': '100000000' }
  await fixture.build(tar(pax(records), file('hole', 'abcdef')))
  const { size, blocks } = lstatSync(join(fixture.rootfs, 'hole'))
  expect(size).toBe(100_000_000)
  expect(blocks * 512).toBeLessThan(100_000)
})

test('without privileges, owners are recorded, devices are files, and all else is as for root', async () => {
  fixture.remove()
  fixture = createFixture({ isPrivileged: false })
  await fixture.build(
    tar(
      file('owned', 'x', { uid: 1_000_000, mode: 0o4755 }),
      file('null', '', { type: '3', major: 1, minor: 3, mode: 0o666 }),
      directory('closed', { mode: 0o500 }),
      file('closed/f', 'y'),
      pax({ 'SCHILY.xattr.security.capability': 'z' }),
      file('ping'),
    ),
  )
  expect(listing(fixture.rootfs)).toEqual(['closed/', 'closed/f = y', 'null = ', 'owned = x', 'ping = '])
  expect(lstatSync(join(fixture.rootfs, 'owned')).uid).toBe(process.getuid?.())
  expect(lstatSync(join(fixture.rootfs, 'owned')).mode & 0o7777).toBe(0o4755)
  expect(lstatSync(join(fixture.rootfs, 'null')).mode & 0o7777).toBe(0o666)
  const record = Buffer.from([0x08, 0xc0, 0x84, 0x3d, 0x10, 0xff, 0xff, 0xff, 0xff, 0x0f])
  const name = 'user.rootlesscontainers'
  expect(fixture.ops).toEqual([{ kind: 'setxattr', path: Buffer.from('owned'), name, value: record }])
  expect(fixture.warnings).toHaveLength(2)
})
