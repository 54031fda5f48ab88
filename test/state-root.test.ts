import { chmodSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { absoluteRoot, defaultRoot, makeRoot } from '../src/state-root.ts'

test('the default root is below /run, and of a user below the runtime directory', () => {
  expect(defaultRoot({ XDG_RUNTIME_DIR: '/run/user/0' }, 0)).toBe('/run/bundle-tool')
  expect(defaultRoot({ XDG_RUNTIME_DIR: '/run/user/1000' }, 1000)).toBe('/run/user/1000/bundle-tool')
  expect(defaultRoot({}, 1000)).toBe('/tmp/bundle-tool-1000')
  expect(defaultRoot({ XDG_RUNTIME_DIR: '' }, 1000)).toBe('/tmp/bundle-tool-1000')
})

test('root of a user namespace has the root of a user, unless it says that it is root', () => {
  const inNamespace = () => '         0       1000          1\n'
  const env = { XDG_RUNTIME_DIR: '/run/user/1000' }
  expect(defaultRoot(env, 0, inNamespace)).toBe('/run/user/1000/bundle-tool')
  expect(defaultRoot({ ...env, USER: 'me' }, 0, inNamespace)).toBe('/run/user/1000/bundle-tool')
  expect(defaultRoot({ ...env, USER: 'root' }, 0, inNamespace)).toBe('/run/bundle-tool')
  expect(defaultRoot({}, 0, inNamespace)).toBe('/run/bundle-tool')
  expect(defaultRoot(env, 0, () => '         0          0 4294967295\n')).toBe('/run/bundle-tool')
})

test('a root is absolute and not the root of the file system', () => {
  expect(absoluteRoot('a/../b')).toBe(join(process.cwd(), 'b'))
  for (const root of ['', '/', '//', '/..']) {
    expect(() => absoluteRoot(root)).toThrow(expect.objectContaining({ code: 'ERR_USAGE' }))
  }
})

test('a new root is its owner’s alone, whatever the umask; one that is there stays as it is', () => {
  const directory = mkdtempSync(join(tmpdir(), 'root-'))
  const umask = process.umask(0o277)
  const mode = (path: string) => statSync(path).mode & 0o7777
  try {
    const root = join(directory, 'root')
    makeRoot(root, 0)
    expect(mode(root)).toBe(0o700)
    chmodSync(root, 0o755)
    makeRoot(root, 0)
    expect(mode(root)).toBe(0o755)
    makeRoot(join(directory, 'own'), 1000)
    expect(mode(join(directory, 'own'))).toBe(0o1700)
    process.umask(0)
    makeRoot(join(directory, 'a/b'), 0)
    expect([mode(join(directory, 'a')), mode(join(directory, 'a/b'))]).toEqual([0o700, 0o700])
  } finally {
    process.umask(umask)
    rmSync(directory, { recursive: true })
  }
})

test('a root that an earlier version has opened for all to pass through is closed, if it is the caller’s', () => {
  const root = mkdtempSync(join(tmpdir(), 'root-'))
  const own = process.geteuid?.() ?? 0
  try {
    chmodSync(root, 0o711)
    makeRoot(root, own + 1)
    expect(statSync(root).mode & 0o7777).toBe(0o711)
    makeRoot(root, own)
    expect(statSync(root).mode & 0o7777).toBe(own === 0 ? 0o700 : 0o1700)
  } finally {
    rmSync(root, { recursive: true })
  }
})

test('a root that nobody can make is an error, and not a wait', () => {
  const make = () => makeRoot('/proc/no/root', 0)
  expect(make).toThrow(expect.objectContaining({ code: 'ERR_FILE_SYSTEM', message: expect.stringContaining('ENOENT') }))
})
