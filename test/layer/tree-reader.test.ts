import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openTree, type TreeReader } from '../../src/layer/tree-reader.ts'

let top = ''
let tree: TreeReader
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), 'tree-'))
  mkdirSync(join(top, 'rootfs/a/b/c'), { recursive: true })
  mkdirSync(join(top, 'rootfs/ab'))
  mkdirSync(join(top, 'host/c'), { recursive: true })
  writeFileSync(join(top, 'rootfs/a/b/c/file'), 'inside')
  writeFileSync(join(top, 'host/c/file'), 'of the host')
  writeFileSync(join(top, 'secret'), 'of the host')
  tree = openTree(join(top, 'rootfs'))
})
afterEach(() => {
  tree.close()
  rmSync(top, { recursive: true })
})

function contents(path: string): string {
  const descriptor = tree.open(path)
  try {
    return readFileSync(descriptor, 'utf8')
  } finally {
    closeSync(descriptor)
  }
}

test('names are found wherever the walk has been before', () => {
  expect(contents('a/b/c/file')).toBe('inside')
  expect(tree.list('ab')).toEqual([])
  expect(tree.list('')).toEqual(['a', 'ab'])
  expect(contents('a/b/c/file')).toBe('inside')
  expect(tree.stat('a/b').isDirectory()).toBe(true)
  expect(tree.stat('').isDirectory()).toBe(true)
})

test('a directory that becomes a link out of the tree is not followed', () => {
  expect(tree.list('a')).toEqual(['b'])
  renameSync(join(top, 'rootfs/a/b'), join(top, 'rootfs/moved'))
  symlinkSync(join(top, 'host'), join(top, 'rootfs/a/b'))
  expect(() => contents('a/b/c/file')).toThrow(/ENOTDIR|ELOOP/)
  expect(() => tree.list('a/b')).toThrow(/ENOTDIR|ELOOP/)
})

test('a file that becomes a link is not followed, and one that becomes a FIFO does not block', () => {
  rmSync(join(top, 'rootfs/a/b/c/file'))
  symlinkSync(join(top, 'secret'), join(top, 'rootfs/a/b/c/file'))
  expect(() => contents('a/b/c/file')).toThrow('ELOOP')
  expect(tree.readLink('a/b/c/file')).toBe(join(top, 'secret'))
  expect(() => tree.open('a/b')).toThrow(expect.objectContaining({ code: 'ERR_BUNDLE_INVALID' }))
})

test('an open directory stays the same: it is still read after a move, and is still inside', () => {
  expect(contents('a/b/c/file')).toBe('inside')
  renameSync(join(top, 'rootfs/a'), join(top, 'rootfs/elsewhere'))
  expect(contents('a/b/c/file')).toBe('inside')
})
