import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readInRootfs } from '../../src/layer/read-in-rootfs.ts'

let top: string
let rootfs: string

beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), 'read-in-rootfs-'))
  rootfs = join(top, 'rootfs')
  mkdirSync(join(rootfs, 'etc'), { recursive: true })
  writeFileSync(join(top, 'secret'), 'host secret')
  writeFileSync(join(rootfs, 'etc/passwd'), 'root:x:0:0')
})

afterEach(() => {
  rmSync(top, { recursive: true })
})

const read = (path: string, maxBytes = 1000): string | undefined => {
  const bytes = readInRootfs(rootfs, path, maxBytes)
  return bytes && Buffer.from(bytes).toString()
}

test('a regular file is read whole, with or without a leading slash', () => {
  expect(read('/etc/passwd')).toBe('root:x:0:0')
  expect(read('etc/./passwd')).toBe('root:x:0:0')
  expect(read('/etc/passwd', 10)).toBe('root:x:0:0')
})

test('a path that does not exist is undefined', () => {
  expect(read('/etc/group')).toBeUndefined()
  expect(read('/nowhere/group')).toBeUndefined()
  expect(read('/etc/passwd/below-a-file')).toBeUndefined()
})

test.each([
  ['absolute', '/etc/passwd'],
  ['relative', 'etc/passwd'],
  ['up and out', '../../../../../../etc/passwd'],
  ['absolute, up and out', '/../../etc/passwd'],
])('a link with an %s target is followed inside the rootfs', (_kind, target) => {
  symlinkSync(target, join(rootfs, 'link'))
  expect(read('/link')).toBe('root:x:0:0')
})

test('neither ".." nor a link to a host directory reaches a file of the host', () => {
  symlinkSync(top, join(rootfs, 'host'))
  symlinkSync('..', join(rootfs, 'up'))
  expect(read('/host/secret')).toBeUndefined()
  expect(read('/up/secret')).toBeUndefined()
  expect(read('/../secret')).toBeUndefined()
  expect(read('/etc/../../secret')).toBeUndefined()
  expect(read('/up/etc/passwd')).toBe('root:x:0:0')
})

test('a loop of links is an error, not an endless walk', () => {
  symlinkSync('b', join(rootfs, 'a'))
  symlinkSync('a', join(rootfs, 'b'))
  expect(() => read('/a')).toThrow(/"\/a" in the rootfs leads through more than 40 symbolic links/)
})

test('a FIFO is refused without waiting for a writer, a directory too', () => {
  execFileSync('mkfifo', [join(rootfs, 'fifo')])
  expect(() => read('/fifo')).toThrow(/is a FIFO, not a regular file/)
  expect(() => read('/etc')).toThrow(/is a directory, not a regular file/)
  symlinkSync('fifo', join(rootfs, 'to-fifo'))
  expect(() => read('/to-fifo')).toThrow(/is a FIFO/)
})

test('a file over the limit is refused', () => {
  expect(() => read('/etc/passwd', 9)).toThrow(expect.objectContaining({ code: 'ERR_LIMIT_EXCEEDED' }))
})

test('no descriptor stays open, whatever the outcome', () => {
  symlinkSync('../etc/passwd', join(rootfs, 'etc/link'))
  const open = () => readdirSync('/proc/self/fd').length
  const before = open()
  for (let i = 0; i < 10; i++) {
    read('/etc/link')
    read('/etc/none')
    expect(() => read('/etc/passwd', 1)).toThrow()
  }
  expect(open()).toBe(before)
})
