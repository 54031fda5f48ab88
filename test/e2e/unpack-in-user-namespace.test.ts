import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect } from 'vitest'
import { directory, file, symlink, tar } from '../layer/tar/builder.ts'
import { requires } from '../requirements.ts'

/** The ids of a user with a line in /etc/subuid, by `podman unshare` or the like: root and 65535 others. */
const map = '0 100000 65536'

let top = ''
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), 'userns-'))
  chmodSync(top, 0o755)
  chownSync(top, 100_000, 100_000)
})
afterEach(() => rmSync(top, { recursive: true }))

/** Runs `unpack` as root of a user namespace. */
async function unpackInside(layer: Buffer): Promise<{ status: number | null; stderr: string }> {
  writeFileSync(join(top, 'rootfs.tar'), layer)
  const tool = join(import.meta.dirname, '../../bin/bundle-tool.js')
  const holder = spawn('unshare', ['--user', 'cat'], { stdio: ['pipe', 'ignore', 'inherit'] })
  try {
    await isInNamespace(holder.pid ?? 0)
    for (const kind of ['uid', 'gid']) writeFileSync(`/proc/${holder.pid}/${kind}_map`, map)
    const enter = ['--user', '--target', String(holder.pid), '--setuid', '0', '--setgid', '0', process.execPath, tool]
    const args = ['unpack', `rootfs:${join(top, 'rootfs.tar')}`, '--out', join(top, 'bundle')]
    return spawnSync('nsenter', [...enter, ...args], { encoding: 'utf8' })
  } finally {
    holder.stdin.end()
    await once(holder, 'close')
  }
}

async function isInNamespace(pid: number): Promise<void> {
  const own = readlinkSync('/proc/self/ns/user')
  while (readlinkSync(`/proc/${pid}/ns/user`) === own) await new Promise((resolve) => setTimeout(resolve, 1))
}

const asRoot = requires('root', 'unshare', 'nsenter').test

asRoot('owners are those of the image in the namespace, and devices empty files', async () => {
  const layer = tar(
    directory('home', { uid: 1000, gid: 100 }),
    file('home/own', 'x', { uid: 1000, gid: 65_535, mode: 0o4755 }),
    symlink('link', 'home', { uid: 7, gid: 8 }),
    file('null', '', { type: '3', major: 1, minor: 3, mode: 0o666 }),
    file('fifo', '', { type: '6' }),
  )
  const { status, stderr } = await unpackInside(layer)
  expect({ status, stderr }).toMatchObject({ status: 0, stderr: expect.stringMatching(/^warning: .*device nodes/) })
  const stat = (path: string) => lstatSync(join(top, 'bundle/rootfs', path))
  expect(stat('home')).toMatchObject({ uid: 101_000, gid: 100_100 })
  expect(stat('home/own')).toMatchObject({ uid: 101_000, gid: 165_535, mode: 0o104755 })
  expect(stat('link')).toMatchObject({ uid: 100_007, gid: 100_008 })
  expect(stat('null')).toMatchObject({ uid: 100_000, size: 0, mode: 0o100666 })
  expect(stat('fifo').isFIFO()).toBe(true)
  expect(readFileSync(join(top, 'bundle/config.json'), 'utf8')).toContain('"ociVersion"')
})

asRoot.each([
  ['a file', file('odd', 'x', { uid: 718_322, gid: 0 })],
  ['a directory', directory('odd', { uid: 0, gid: 718_322 })],
  ['a symlink', symlink('odd', 'x', { uid: 718_322 })],
])('the owner of %s that the namespace lacks is named, with what would map it', async (_, member) => {
  const { status, stderr } = await unpackInside(tar(member))
  expect(status).toBe(1)
  expect(stderr).toMatch(/"odd" has owner (718322:0|0:718322), which this user namespace does not map/)
  expect(stderr).toContain(
    'hint: map more ids: in /etc/subuid and /etc/subgid, replace the line of USER with "USER:100000:718323"',
  )
})
