import { execFileSync } from 'node:child_process'
import { lstatSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { applyNodeOps } from '../../src/runtime/node-ops.ts'
import { requires } from '../requirements.ts'
import { describeTree, writeLayout } from './oracle.ts'
import { createFixture, type Fixture } from './rootfs-fixture.ts'
import { directory, file, hardlink, pax, symlink, tar } from './tar/builder.ts'

// The sources look for the runner beside themselves, where the build does not put it.
process.env.BUNDLE_TOOL_RUNNER ??= join(import.meta.dirname, '../../dist/bundle-tool-runner')

/** Builds a rootfs; the runner applies the operations that Node.js has no call for. */
async function buildAsRoot(check: (fixture: Fixture) => void, ...layers: readonly Buffer[]): Promise<void> {
  const fixture: Fixture = createFixture({ applyNodeOps: (ops) => applyNodeOps(fixture.rootfs, ops) })
  try {
    await fixture.build(...layers)
    check(fixture)
  } finally {
    fixture.remove()
  }
}

requires('root').test('devices and FIFOs have numbers, mode, owner, time and hard links', async () => {
  await buildAsRoot(
    ({ rootfs }) => {
      const stat = (path: string) => statSync(join(rootfs, path))
      const owned = { uid: 3, gid: 5, mtimeMs: 9000 }
      expect(stat('dev/null')).toMatchObject({
        rdev: 0x103,
        mode: 0o020666,
        ino: stat('dev/zero-name').ino,
        nlink: 2,
        ...owned,
      })
      expect(stat('dev/sda')).toMatchObject({ rdev: 0x800, mode: 0o060640 })
      expect(stat('dev/fifo')).toMatchObject({ mode: 0o010600 })
      expect(stat('dev').mtimeMs).toBe(4000)
    },
    tar(
      directory('dev', { mtime: 4 }),
      file('dev/null', '', { type: '3', major: 1, minor: 3, mode: 0o666, uid: 3, gid: 5, mtime: 9 }),
      hardlink('dev/zero-name', 'dev/null'),
      file('dev/sda', '', { type: '4', major: 8, minor: 0, mode: 0o640 }),
      file('dev/fifo', '', { type: '6', mode: 0o600 }),
    ),
  )
})

requires('root').test.each([
  ['4096:0', { major: 4096, minor: 0 }],
  ['1:1048576', { major: 1, minor: 1_048_576 }],
])('device %s cannot exist', async (numbers, fields) => {
  const fixture = createFixture()
  try {
    const built = fixture.build(tar(file('dev', '', { type: '3', ...fields })))
    await expect(built).rejects.toThrow(`entry "dev" is device ${numbers}, which is out of range`)
  } finally {
    fixture.remove()
  }
})

requires('root').test(
  'owners are given, setuid and setgid bits survive that, and a setgid directory lends nothing',
  async () => {
    await buildAsRoot(
      ({ rootfs }) => {
        const seen = ['suid', 'mail', 'mail/box', 'mail/sub', 'link'].map((path) => {
          const { uid, gid, mode } = lstatSync(join(rootfs, path))
          return [path, uid, gid, (mode & 0o7777).toString(8)]
        })
        expect(seen).toEqual([
          ['suid', 7, 8, '6755'],
          ['mail', 0, 12, '2775'],
          ['mail/box', 0, 0, '644'],
          ['mail/sub', 0, 0, '755'],
          ['link', 9, 10, '777'],
        ])
      },
      tar(
        file('suid', 'x', { uid: 7, gid: 8, mode: 0o6755 }),
        directory('mail', { gid: 12, mode: 0o2775 }),
        file('mail/box', 'y'),
        directory('mail/sub'),
        symlink('link', 'suid', { uid: 9, gid: 10 }),
      ),
    )
  },
)

requires('root', 'getfattr').test('file capabilities outlive the change of owner, byte for byte', async () => {
  const capability = '\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0'
  await buildAsRoot(
    ({ rootfs }) => {
      const value = execFileSync('getfattr', ['--only-values', '-n', 'security.capability', join(rootfs, 'ping')])
      expect(value.toString('latin1')).toBe(capability)
    },
    tar(pax({ 'SCHILY.xattr.security.capability': capability }), file('ping', 'x', { uid: 1, mode: 0o755 })),
  )
})

requires('root').test('times are exact to the nanosecond, and reach before 1970', async () => {
  await buildAsRoot(
    ({ rootfs }) => {
      const time = (path: string) => lstatSync(join(rootfs, path), { bigint: true }).mtimeNs
      expect(time('f')).toBe(1_700_000_000_123_456_789n)
      expect(time('s')).toBe(1_000_000_001n)
      expect(time('old')).toBe(-1_500_000_000n)
      expect(time('')).toBe(2_000_000_003n)
    },
    tar(
      pax({ mtime: '2.000000003' }),
      directory('.'),
      pax({ mtime: '1700000000.123456789' }),
      file('f'),
      pax({ mtime: '1.000000001' }),
      symlink('s', 'f'),
      pax({ mtime: '-1.5' }),
      directory('old'),
      file('old/f'),
    ),
  )
})

const inOrder = [
  tar(
    directory('etc'),
    file('etc/passwd', 'root', { mtime: 100 }),
    directory('usr/lib', { mode: 0o750 }),
    symlink('lib', 'usr/lib', { mtime: 5 }),
    file('usr/lib/a', 'a', { uid: 5, gid: 6, mode: 0o4711 }),
    hardlink('usr/lib/b', 'usr/lib/a'),
    directory('opt', { mtime: 3 }),
    file('opt/one', '1'),
    file('opt/two', '2'),
    file('dev/null', '', { type: '3', major: 1, minor: 3 }),
  ),
  tar(
    file('lib/through', 'link'),
    file('usr/lib/.wh.b'),
    directory('opt', { mode: 0o700, mtime: 9 }),
    file('opt/.wh..wh..opq'),
    file('opt/three', '3'),
    hardlink('usr/lib/c', 'usr/lib/a'),
  ),
  tar(file('etc', 'now a file'), directory('lib', { mtime: 7 }), file('lib/own', 'x'), file('.wh.dev')),
]

requires('root', 'umoci').test('three layers give the same tree as with umoci', async () => {
  const top = mkdtempSync(join(tmpdir(), 'umoci-'))
  try {
    writeLayout(join(top, 'oci'), inOrder)
    execFileSync('umoci', ['raw', 'unpack', '--image', `${join(top, 'oci')}:latest`, join(top, 'theirs')], {
      stdio: 'pipe',
    })
    await buildAsRoot(
      ({ rootfs }) => {
        expect(describeTree(rootfs)).toEqual(describeTree(join(top, 'theirs')))
      },
      ...inOrder,
    )
  } finally {
    rmSync(top, { recursive: true })
  }
})
