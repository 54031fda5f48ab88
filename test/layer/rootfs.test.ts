import { lstatSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { OciError } from '../../src/errors.ts'
import type { ApplyNodeOps } from '../../src/program/node-op.ts'
import { createFixture, type Fixture, inPieces, listing } from './rootfs-fixture.ts'
import { directory, file, hardlink, pax, symlink, tar } from './tar/builder.ts'

let fixture: Fixture

beforeEach(() => {
  fixture = createFixture()
})
afterEach(() => {
  fixture.remove()
})

test('files, directories, symlinks and hard links of two layers make one tree', async () => {
  await fixture.build(
    tar(directory('etc'), file('etc/hostname', 'lower'), symlink('link', 'etc/hostname'), file('bin/sh', 'shell')),
    gzipSync(tar(file('etc/hostname', 'upper'), hardlink('bin/ash', 'bin/sh'))),
  )
  expect(listing(fixture.rootfs)).toEqual([
    'bin/',
    'bin/ash = shell',
    'bin/sh = shell',
    'etc/',
    'etc/hostname = upper',
    'link -> etc/hostname',
  ])
  expect(statSync(join(fixture.rootfs, 'bin/ash')).ino).toBe(statSync(join(fixture.rootfs, 'bin/sh')).ino)
})

test('modes and times are those of the archive, those of directories too', async () => {
  await fixture.build(
    tar(
      directory('./', { mode: 0o711, mtime: 1000 }),
      directory('d', { mode: 0o1755, mtime: 2000 }),
      file('d/setuid', 'x', { mode: 0o4755, mtime: 3000 }),
      file('d/open', 'x', { mode: 0o666, mtime: 4000 }),
      symlink('d/link', 'open', { mtime: 5000 }),
    ),
  )
  const seen = ['', 'd', 'd/setuid', 'd/open', 'd/link'].map((path) => {
    const { mode, mtimeMs } = lstatSync(join(fixture.rootfs, path))
    return [path, (mode & 0o7777).toString(8), mtimeMs / 1000]
  })
  expect(seen).toEqual([
    ['', '711', 1000],
    ['d', '1755', 2000],
    ['d/setuid', '4755', 3000],
    ['d/open', '666', 4000],
    ['d/link', '777', 5000],
  ])
})

test('a diffID that does not match is an error', async () => {
  const content = inPieces(gzipSync(tar(file('a', 'b'))))
  await expect(fixture.builder.apply(content, { diffID: `sha256:${'0'.repeat(64)}`, name: 'base' })).rejects.toThrow(
    expect.objectContaining({ code: 'ERR_DIGEST_MISMATCH', message: expect.stringMatching(/^layer base: /) }),
  )
})

/** An `applyNodeOps` on a file system that refuses attributes of these namespaces with this error. */
function withoutXattrs(namespaces: readonly string[], code: string) {
  const done: string[] = []
  const applyNodeOps: ApplyNodeOps = async (ops) => {
    for (const op of ops) {
      if (op.kind === 'setxattr' && namespaces.some((namespace) => op.name.startsWith(namespace))) {
        const cause = Object.assign(new Error(), { code, syscall: 'setxattr' })
        throw new OciError('ERR_SYSCALL', `setxattr: ${code}`, { cause })
      }
      done.push(`${op.kind} ${Buffer.from(op.path)}`)
    }
  }
  return { applyNodeOps, done }
}

const withAttributes = tar(
  pax({ 'SCHILY.xattr.user.a': '1', 'SCHILY.xattr.security.b': '2' }),
  file('one'),
  pax({ 'SCHILY.xattr.user.a': '1', 'SCHILY.xattr.security.b': '2', mtime: '1.5' }),
  directory('two'),
)

test.each([
  ['EOPNOTSUPP', 'the file system does not support them'],
  ['EPERM', 'setting them is not permitted'],
])('attributes refused with %s are left out with one warning for each namespace', async (code, reason) => {
  const { applyNodeOps, done } = withoutXattrs(['user.', 'security.'], code)
  const site = createFixture({ applyNodeOps, isPrivileged: true })
  await site.build(withAttributes)
  expect(done).toEqual(['utimens two'])
  expect(site.warnings).toEqual([
    `extended attributes "user.*" are left out: ${reason}`,
    `extended attributes "security.*" are left out: ${reason}`,
  ])
  await site.remove()
})

test('attributes of other namespaces are still set, and any other error is thrown', async () => {
  const { applyNodeOps, done } = withoutXattrs(['user.'], 'EOPNOTSUPP')
  const site = createFixture({ applyNodeOps, isPrivileged: true })
  await site.build(withAttributes)
  expect(done).toEqual(['setxattr one', 'setxattr two', 'utimens two'])
  await site.remove()
  const full = createFixture({ ...withoutXattrs(['user.'], 'ENOSPC'), isPrivileged: true })
  await expect(full.build(withAttributes)).rejects.toThrow('setxattr: ENOSPC')
  await full.remove()
})
