import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect } from 'vitest'
import { attributes, describeTree, writeLayout } from '../layer/oracle.ts'
import { directory, file, hardlink, pax, symlink, tar } from '../layer/tar/builder.ts'
import { requires } from '../requirements.ts'

/** `nobody`, whom every system has. */
const user = { uid: 65_534, gid: 65_534 }

let top = ''
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), 'user-'))
  chmodSync(top, 0o777)
})
afterEach(() => {
  rmSync(top, { recursive: true })
})

/** Files of CentOS, Debian and others that a user has no right to make as they are. */
const layers = [
  tar(
    ...['bin', 'dev', 'etc', 'run', 'var'].map((name) => directory(name)),
    directory('root', { mode: 0o550 }),
    file('root/.bashrc', 'alias rm="rm -i"'),
    file('etc/shadow', 'root:*', { mode: 0o640, gid: 42 }),
    hardlink('etc/shadow-', 'etc/shadow'),
    directory('var/mail', { mode: 0o2775, gid: 8, mtime: 1_600_000_000 }),
    file('bin/su', 'ELF', { mode: 0o4755 }),
    file('bin/write', 'ELF', { mode: 0o2755, gid: 5, mtime: 1_600_000_000 }),
    file('read-only', 'x', { mode: 0o444, uid: 1000, gid: 100_000 }),
    symlink('home', 'root', { uid: 7, gid: 7 }),
    file('dev/null', '', { type: '3', major: 1, minor: 3, mode: 0o666 }),
    file('dev/sda', '', { type: '4', major: 8, gid: 6 }),
    file('run/fifo', '', { type: '6', mode: 0o640, uid: 3, gid: 4 }),
    pax({ 'SCHILY.xattr.user.rootlesscontainers': '\x08\x01\x10\x01' }),
    file('spoofed', 'y'),
    pax({ 'SCHILY.xattr.security.capability': '\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0' }),
    file('bin/ping', 'ELF', { mode: 0o755 }),
  ),
  tar(file('root/.profile', 'umask 022'), file('root/.wh..bashrc'), file('var/.wh.none')),
]

function unpack(...flags: readonly string[]) {
  const tool = join(import.meta.dirname, '../../bin/bundle-tool.js')
  const args = [tool, 'unpack', `oci:${join(top, 'oci')}:latest`, '--out', join(top, 'ours'), ...flags]
  return spawnSync(process.execPath, args, { ...user, encoding: 'utf8', env: { HOME: top } })
}

requires('root', 'umoci', 'getfattr').test('a user gets the tree and the records of owners that umoci makes', () => {
  writeLayout(join(top, 'oci'), layers)
  const theirs = ['unpack', '--rootless', '--image', `${join(top, 'oci')}:latest`, join(top, 'theirs')]
  expect(spawnSync('umoci', theirs, { ...user, encoding: 'utf8', env: { HOME: top } })).toMatchObject({ status: 0 })
  const { status, stderr } = unpack()
  expect({ status, warnings: stderr.match(/^warning: /gm)?.length }, stderr).toEqual({ status: 0, warnings: 3 })
  // umoci gives up on files that their owner cannot write to.
  const readOnly = '# file: read-only\nuser.rootlesscontainers=0x08e80710a08d06'
  const ours = attributes(join(top, 'ours/rootfs'))
  expect(ours.filter((text) => text !== readOnly)).toEqual(attributes(join(top, 'theirs/rootfs')))
  expect(ours).toContain(readOnly)
  expect(ours).toContain('# file: etc/shadow\nuser.rootlesscontainers=0x08ffffffff0f102a')
  expect(describeTree(join(top, 'ours/rootfs'))).toEqual(describeTree(join(top, 'theirs/rootfs')))
})

requires('root').test('a user replaces a bundle with directories that he cannot write to', () => {
  writeLayout(join(top, 'oci'), layers)
  expect(unpack()).toMatchObject({ status: 0 })
  expect(unpack('--force')).toMatchObject({ status: 0 })
  expect(existsSync(join(top, 'ours/config.json'))).toBe(true)
  expect(readdirSync(top).sort()).toEqual(['oci', 'ours'])
})
