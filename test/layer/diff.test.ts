import { expect, test } from 'vitest'
import { diffTrees } from '../../src/layer/diff.ts'
import type { TreeFile } from '../../src/layer/scan.ts'

function at(path: string, fields: Partial<TreeFile> = {}): TreeFile {
  const plain = { linkPath: '', mode: 0o644, uid: 0, gid: 0, size: 0, major: 0, minor: 0 }
  const mtime = { seconds: 0, nanoseconds: 0 }
  return { kind: 'file', path, ...plain, mtime, xattrs: undefined, inode: undefined, ...fields }
}

const directory = (path: string, fields: Partial<TreeFile> = {}) => at(path, { kind: 'directory', ...fields })
const root = directory('')

/** Whiteouts and files of the changes; files named in `differing` have other data. */
function diff(base: readonly TreeFile[], changed: readonly TreeFile[], ...differing: string[]): string[] {
  const { whiteouts, files } = diffTrees([root, ...base], [root, ...changed], (path) => !differing.includes(path))
  return [...whiteouts, ...files.map(({ path }) => path)]
}

test('equal trees have no changes', () => {
  const tree = [
    directory('d'),
    at('d/f', { xattrs: new Map([['user.a', 'b']]) }),
    at('l', { kind: 'symlink', linkPath: 'd' }),
  ]
  expect(diff(tree, structuredClone(tree))).toEqual([])
})

test('a new file is listed, and a removed one has a whiteout, a whole directory just one', () => {
  expect(diff([directory('a'), at('a/x'), at('b')], [at('b'), directory('c'), at('c/y')])).toEqual([
    '.wh.a',
    'c',
    'c/y',
  ])
  expect(diff([directory('d'), at('d/x'), at('d/y')], [directory('d'), at('d/y')])).toEqual(['d/.wh.x'])
})

test('a file that changes its type needs no whiteout', () => {
  expect(diff([directory('a'), at('a/x')], [at('a')])).toEqual(['a'])
  expect(diff([at('a')], [directory('a'), at('a/x')])).toEqual(['a', 'a/x'])
  expect(diff([directory('a'), at('a/x')], [at('a', { kind: 'symlink', linkPath: 'b' })])).toEqual(['a'])
})

test.each<[string, Partial<TreeFile>]>([
  ['mode', { mode: 0o600 }],
  ['owner', { uid: 1 }],
  ['group', { gid: 1 }],
  ['size', { size: 1 }],
  ['time by a nanosecond', { mtime: { seconds: 0, nanoseconds: 1 } }],
  ['attributes', { xattrs: new Map([['user.a', 'b']]) }],
  ['kind', { kind: 'fifo' }],
  ['device number', { minor: 1 }],
])('a different %s is a change', (_, fields) => {
  expect(diff([at('f')], [at('f', fields)])).toEqual(['f'])
})

test('different data of the same size and time is a change', () => {
  expect(diff([at('f'), at('g')], [at('f'), at('g')], 'g')).toEqual(['g'])
})

test('all names of a changed file are listed, so that no hard link leads to a lower layer', () => {
  const linked = (...paths: string[]) => paths.map((path) => at(path, { inode: 'i' }))
  expect(diff(linked('a', 'b'), linked('a', 'b'))).toEqual([])
  expect(diff(linked('a', 'b'), linked('a', 'b', 'c'))).toEqual(['a', 'b', 'c'])
  expect(diff(linked('a', 'b'), linked('a', 'b'), 'b')).toEqual(['a', 'b'])
  expect(diff(linked('a', 'b', 'c'), linked('a', 'b'))).toEqual(['.wh.c', 'a', 'b'])
  expect(diff(linked('a', 'b'), [at('a'), at('b')])).toEqual(['a', 'b'])
  expect(diff([at('a'), at('b')], linked('a', 'b'))).toEqual(['a', 'b'])
})

test('a file whose name is a whiteout cannot be in a layer, unless it was there before', () => {
  expect(() => diff([], [at('.wh.x')])).toThrow(expect.objectContaining({ code: 'ERR_NOT_SUPPORTED' }))
  expect(() => diff([], [directory('d'), at('d/.wh.x')])).toThrow('a layer cannot hold "d/.wh.x"')
  expect(diff([], [directory('d.wh.x')])).toEqual(['d.wh.x'])
})
