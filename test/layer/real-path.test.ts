import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { realPathInRootfs } from '../../src/layer/real-path.ts'

let rootfs = ''
beforeEach(() => {
  rootfs = mkdtempSync(join(tmpdir(), 'real-path-'))
  mkdirSync(join(rootfs, 'real/conf'), { recursive: true })
  symlinkSync('/real/conf', join(rootfs, 'absolute'))
  symlinkSync('../../../real', join(rootfs, 'real/up'))
  symlinkSync('loop', join(rootfs, 'loop'))
})
afterEach(() => rmSync(rootfs, { recursive: true }))

test.each([
  ['/real/conf', '/real/conf'],
  ['absolute/new/file', '/real/conf/new/file'],
  ['/real/up/conf', '/real/conf'],
  ['/../.././real//conf/../x', '/real/x'],
  ['/nothing/../here', '/here'],
])('%s is %s', (path, real) => {
  expect(realPathInRootfs(rootfs, path)).toBe(real)
})

test('a loop is an error', () => {
  expect(() => realPathInRootfs(rootfs, '/loop/x')).toThrow('leads through more than 40 links')
})
