import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { absoluteRoot, defaultRoot, makeRoot } from '../../src/runtime/root.ts'

test('the default root is below /run, and of a user below the runtime directory', () => {
  expect(defaultRoot({ XDG_RUNTIME_DIR: '/run/user/0' }, 0)).toBe('/run/bundle-tool')
  expect(defaultRoot({ XDG_RUNTIME_DIR: '/run/user/1000' }, 1000)).toBe('/run/user/1000/bundle-tool')
  expect(defaultRoot({}, 1000)).toBe('/run/bundle-tool')
})

test('a root is absolute and not the root of the file system', () => {
  expect(absoluteRoot('a/../b')).toBe(join(process.cwd(), 'b'))
  for (const root of ['', '/', '//', '/..']) {
    expect(() => absoluteRoot(root)).toThrow(expect.objectContaining({ code: 'ERR_USAGE' }))
  }
})

test('a new root can be passed through, not listed, whatever the umask; one that is there stays as it is', () => {
  const directory = mkdtempSync(join(tmpdir(), 'root-'))
  const umask = process.umask(0o077)
  try {
    const root = join(directory, 'a/b')
    makeRoot(root, 0)
    expect(statSync(root).mode & 0o7777).toBe(0o711)
    makeRoot(root, 1000)
    expect(statSync(root).mode & 0o7777).toBe(0o711)
    makeRoot(join(directory, 'own'), 1000)
    expect(statSync(join(directory, 'own')).mode & 0o7777).toBe(0o1700)
  } finally {
    process.umask(umask)
    rmSync(directory, { recursive: true })
  }
})

test('a root that nobody can make is an error, and not a wait', () => {
  const make = () => makeRoot('/proc/no/root', 0)
  expect(make).toThrow(expect.objectContaining({ code: 'ERR_FILE_SYSTEM', message: expect.stringContaining('ENOENT') }))
})
