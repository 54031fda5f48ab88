import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, vi } from 'vitest'
import type { RuntimeConfig } from '../../src/oci/runtime-config.ts'
import { withoutNode } from '../front/without-node.ts'
import { writeLayout } from '../layer/oracle.ts'
import { directory, file, symlink, tar } from '../layer/tar/builder.ts'
import { requires } from '../requirements.ts'
import { tool } from './engine-place.ts'

/** A user with ranges of ids, and one without. */
const name = 'bundle-tool-ids'
const [uid, withoutIDs] = [54_322, 54_323]
let gid = 0
let [firstUid, firstGid] = [0, 0]

const { test } = requires('root', 'busybox', 'newuidmap', 'newgidmap', 'useradd', 'userdel', 'script', 'setpriv')
const dist = join(import.meta.dirname, '../../dist/bundle-tool')
const isReal = test === requires('root').test

beforeAll(() => {
  if (!isReal) return
  execFileSync('useradd', ['--no-create-home', '--system', '--uid', `${uid}`, '--add-subids-for-system', name])
  gid = Number(execFileSync('id', ['-g', name], { encoding: 'utf8' }))
  const first = (path: string) => Number(new RegExp(`^${name}:(\\d+):`, 'm').exec(readFileSync(path, 'utf8'))?.[1])
  firstUid = first('/etc/subuid')
  firstGid = first('/etc/subgid')
})
afterAll(() => {
  if (isReal) execFileSync('userdel', [name], { stdio: 'ignore' })
})

let top = ''
const at = (path: string) => join(top, path)
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), 'subids-'))
  mkdirSync(at('run'))
  for (const path of [top, at('run')]) chownSync(path, uid, gid)
  chmodSync(top, 0o755)
})
afterEach(() => rmSync(top, { recursive: true }))

const env = () => ({ PATH: process.env.PATH, HOME: top, XDG_RUNTIME_DIR: at('run') })

function asUser(command: string, ...args: readonly string[]) {
  return spawnSync(command, args, { uid, gid, cwd: top, env: env(), encoding: 'utf8', timeout: 60_000 })
}

const unpack = (source: string, ...flags: readonly string[]) =>
  asUser(tool, 'unpack', '--quiet', ...flags, source, '--out', at('bundle'))

/** An image whose program is user 1000, and whose files are of several. */
function writeImage(user = 'app'): string {
  const layer = tar(
    ...['bin', 'etc', 'home', 'tmp'].map((path) => directory(path)),
    file('bin/busybox', readFileSync(execFileSync('which', ['busybox'], { encoding: 'utf8' }).trim()), { mode: 0o755 }),
    symlink('bin/sh', 'busybox'),
    file('etc/passwd', 'root:x:0:0::/root:/bin/sh\napp:x:1000:100::/home/app:/bin/sh\n'),
    file('etc/group', 'root:x:0:\nusers:x:100:\nextra:x:44:app\n'),
    directory('home/app', { uid: 1000, gid: 100, mode: 0o700 }),
    file('home/app/secret', 'known\n', { uid: 1000, gid: 100, mode: 0o600 }),
  )
  writeLayout(at('oci'), [layer], { User: user, Entrypoint: ['/bin/sh'] })
  return `oci:${at('oci')}:latest`
}

/** Gives the bundle's program its last argument, and no terminal. */
function setScript(script: string): void {
  const path = at('bundle/config.json')
  const config: RuntimeConfig = JSON.parse(readFileSync(path, 'utf8'))
  const changed = { ...config, process: { ...config.process, terminal: false, args: ['/bin/sh', '-c', script] } }
  writeFileSync(path, JSON.stringify(changed))
}

test('the owners of an image are real, and its program is who it is to be in the container', () => {
  expect(unpack(writeImage(), '--subids')).toMatchObject({ status: 0, stderr: '' })
  const kept = readdirSync(at('run/bundle-tool'))
  expect(kept).toEqual([expect.stringMatching(/^\.program-/)])
  expect(lstatSync(at(`run/bundle-tool/${kept[0]}`)).uid).toBe(uid)
  const { uid: owner, gid: group, mode } = lstatSync(at('bundle/rootfs/home/app/secret'))
  expect({ owner, group, mode }).toEqual({ owner: firstUid + 999, group: firstGid + 99, mode: 0o100600 })
  expect(lstatSync(at('bundle/rootfs/bin'))).toMatchObject({ uid, gid })
  const { linux }: RuntimeConfig = JSON.parse(readFileSync(at('bundle/config.json'), 'utf8'))
  expect(linux?.uidMappings).toEqual([
    { containerID: 0, hostID: uid, size: 1 },
    { containerID: 1, hostID: firstUid, size: 65_536 },
  ])
  setScript(
    'cd /home/app; busybox stat -c %u:%g:%a . secret; busybox cat secret; busybox id; busybox stat -c %g /dev/pts',
  )
  const { status, stdout, stderr } = asUser(tool, 'run', 'bundle', 'demo')
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(stdout.split('\n')).toEqual([
    '1000:100:700',
    '1000:100:600',
    'known',
    'uid=1000(app) gid=100(users) groups=44(extra)',
    '0',
    '',
  ])
})

test('such a bundle is exported, repacked, replaced and removed where its owners are known, and else left alone', () => {
  const image = writeImage()
  expect(unpack(image, '--subids')).toMatchObject({ status: 0 })
  expect(asUser(tool, 'export', 'bundle', '-o', 'rootfs.tar')).toMatchObject({
    status: 1,
    stderr: `error: "home/app" belongs to another user, ${firstUid + 999}\n  hint: if that is one of your subordinate ids, run the command with "bundle-tool unshare"\n`,
  })
  expect(unpack(image, '--force')).toMatchObject({
    status: 1,
    stderr: expect.stringContaining(`remove it with "bundle-tool unshare rm -rf ${at('bundle')}"`),
  })
  expect(readdirSync(top).sort()).toEqual(['bundle', 'oci', 'run'])

  const inside = (...command: readonly string[]) => asUser(tool, 'unshare', ...command)
  expect(inside(tool, 'export', 'bundle', '-o', 'rootfs.tar')).toMatchObject({ status: 0, stderr: '' })
  const listing = execFileSync('tar', ['--numeric-owner', '-tvf', at('rootfs.tar')], { encoding: 'utf8' })
  expect(listing).toMatch(/^-rw------- 1000\/100 .* home\/app\/secret$/m)

  expect(
    inside('sh', '-c', 'echo more > bundle/rootfs/home/app/new; chown 7:8 bundle/rootfs/home/app/new'),
  ).toMatchObject({
    status: 0,
  })
  expect(inside(tool, 'repack', 'bundle', '--base', image, '--image', 'oci:new:1')).toMatchObject({
    status: 0,
    stderr: '',
  })
  expect(unpack('oci:new:1', '--subids', '--force')).toMatchObject({ status: 0, stderr: '' })
  expect(lstatSync(at('bundle/rootfs/home/app/new'))).toMatchObject({ uid: firstUid + 6, gid: firstGid + 7 })
  expect(inside('rm', '-r', 'bundle')).toMatchObject({ status: 0, stderr: '' })
  expect(readdirSync(top).sort()).toEqual(['new', 'oci', 'rootfs.tar', 'run'])
})

test('unshare passes the exit code, the descriptors, the directory, and what tells other tools whose root it is', () => {
  const script = 'cat; pwd; id -u; umask; echo $_CONTAINERS_ROOTLESS_UID; exit 7'
  const { status, stdout } = spawnSync(tool, ['unshare', 'sh', '-c', script, '--help'], {
    ...{ uid, gid, cwd: top, env: env(), encoding: 'utf8', input: 'given\n' },
  })
  expect({ status, lines: stdout.split('\n') }).toEqual({
    status: 7,
    lines: ['given', top, '0', process.umask().toString(8).padStart(4, '0'), `${uid}`, ''],
  })
  expect(asUser(tool, 'unshare', 'sh', '-c', 'kill -KILL $$')).toMatchObject({ status: 137 })
  expect(asUser(tool, 'unshare', '/does/not/exist')).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('"/does/not/exist": no such file or directory'),
  })
  expect(asUser(tool, 'unshare', tool, 'images')).toMatchObject({ status: 0, stderr: '' })
  expect(readdirSync(at('.local/share'))).toEqual(['bundle-tool'])
})

test('an id outside of the ranges is named, with the line that would have it, and nothing is left', () => {
  writeFileSync(at('rootfs.tar'), tar(file('odd', 'x', { uid: 70_000, gid: 1 })))
  const hint = `in /etc/subuid and /etc/subgid, replace the line of ${uid} with "${uid}:100000:70001"`
  const { status, stderr } = unpack('rootfs:rootfs.tar', '--subids')
  expect(status).toBe(1)
  expect(stderr).toContain('"odd" has owner 70000:1, which this user namespace does not map')
  expect(stderr).toContain(hint)
  const other = unpack(writeImage('70000:5'), '--subids')
  expect(other.status).toBe(1)
  expect(other.stderr).toContain('the image runs as 70000:5, which this user namespace does not map')
  expect(other.stderr).toContain(hint)
  expect(readdirSync(top).sort()).toEqual(['oci', 'rootfs.tar', 'run'])
})

test('a user without ids is told which lines to have added, and root that it needs none', () => {
  const args = ['unpack', '--subids', 'rootfs:none.tar', '--out', at('bundle')]
  const { status, stderr } = spawnSync(tool, args, { uid: withoutIDs, gid: withoutIDs, encoding: 'utf8' })
  expect({ status, lines: stderr.split('\n') }).toEqual({
    status: 1,
    lines: [
      `error: the user ${withoutIDs} has no subordinate ids in /etc/subuid and /etc/subgid`,
      `  hint: have root add a line to /etc/subuid and /etc/subgid, such as "${withoutIDs}:100000:65536", of ids that nobody has`,
      '',
    ],
  })
  expect(spawnSync(tool, args, { encoding: 'utf8' })).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('root needs no user namespace'),
  })
})

test('without newuidmap its package is named', () => {
  const script = 'mount --bind /dev/null /usr/bin/newuidmap && exec "$@"'
  const user = ['setpriv', '--reuid', `${uid}`, '--regid', `${gid}`, '--clear-groups']
  const args = [
    '--mount',
    'sh',
    '-c',
    script,
    'sh',
    ...user,
    tool,
    'unpack',
    '--subids',
    'rootfs:x',
    '--out',
    at('bundle'),
  ]
  const { status, stderr } = spawnSync('unshare', args, { encoding: 'utf8' })
  expect({ status, lines: stderr.split('\n') }).toEqual({
    status: 1,
    lines: [
      'error: mapping subordinate ids needs newuidmap, which is not installed',
      '  hint: install the package uidmap (shadow-utils of Fedora and the like)',
      '',
    ],
  })
})

/** Starts an unpacking of what never ends, and waits until it is at it. */
async function startUnpacking(command: string, args: readonly string[]): Promise<ChildProcess> {
  const child = spawn(command, args, { uid, gid, cwd: top, env: env(), stdio: ['pipe', 'pipe', 'pipe'] })
  await vi.waitFor(() => expect(partials()).toHaveLength(1), { timeout: 30_000, interval: 20 })
  return child
}

const partials = () => readdirSync(top).filter((path) => path.startsWith('.bundle.partial'))

test.each(['SIGINT', 'SIGTERM'] as const)('%s ends it cleanly', async (signal) => {
  const args = ['unpack', '--subids', '--quiet', 'rootfs:-', '--out', at('bundle')]
  const child = await startUnpacking(tool, args)
  child.stdin?.on('error', () => undefined)
  child.stdin?.write(
    tar(directory('d', { uid: 5 }), file('d/f', Buffer.alloc(300_000), { uid: 5 })).subarray(0, 200_000),
  )
  child.kill(signal)
  expect(await once(child, 'close')).toEqual([128 + constants.signals[signal], null])
  expect(readdirSync(top)).toEqual(['run'])
})

/** Says how often it is interrupted, until shortly after the first time. */
const counter = `
process.on('SIGINT', () => { console.log('interrupted'); setTimeout(() => process.exit(3), 300) })
setTimeout(() => process.exit(4), 30_000)
console.log('ready')`

test.each(['', 'sleep 60 | '])(
  'Ctrl-C comes once, though every process at the terminal gets it: "%s"',
  async (before) => {
    writeFileSync(at('counter.js'), counter)
    const line = `${before}${tool} unshare ${process.execPath} ${at('counter.js')}; echo "ended with $?"`
    const child = spawn('script', ['-qc', line, '/dev/null'], { uid, gid, cwd: top, env: env(), stdio: 'pipe' })
    let said = ''
    child.stdout.on('data', (text) => (said += text))
    const patience = { timeout: 30_000, interval: 20 }
    await vi.waitFor(() => expect(said).toContain('ready'), patience)
    child.stdin.write('\x03')
    await vi.waitFor(() => expect(said).toContain('interrupted'), patience)
    await once(child, 'close')
    expect(said.match(/interrupted/g)).toHaveLength(1)
  },
)

test('killed without mercy, it takes the process in the namespace along', async () => {
  const child = await startUnpacking(tool, ['unpack', '--subids', '--quiet', 'rootfs:-', '--out', at('bundle')])
  expect(processesNaming(at('bundle')).length).toBeGreaterThan(1)
  child.kill('SIGKILL')
  await vi.waitFor(() => expect(processesNaming(at('bundle'))).toEqual([]), { timeout: 30_000, interval: 20 })
})

/** Processes that have an argument; those that nobody has reaped yet have none. */
function processesNaming(argument: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(argument)
    } catch {
      return false // ended meanwhile
    }
  })
}

test('try gives an image its real owners, leaves nothing of it, and needs no Node.js the second time', () => {
  const image = writeImage('')
  const script = 'busybox chown 1000:100 /etc && busybox stat -c %u:%g:%a /home/app /etc; busybox touch /file; exit 4'
  const run = (path: string) => {
    const how = { uid, gid, cwd: top, env: { ...env(), PATH: path }, encoding: 'utf8', timeout: 60_000 } as const
    const { status, stdout, stderr } = spawnSync(dist, ['try', '-q', image, '-c', script], how)
    return { status, stdout, stderr }
  }
  const first = run(process.env.PATH ?? '')
  expect(first).toEqual({ status: 4, stdout: '1000:100:700\n1000:100:755\n', stderr: '' })
  expect(run(withoutNode)).toEqual(first)
  const store = at('.local/share/bundle-tool')
  const [tree = ''] = readdirSync(join(store, 'unpacked'))
  expect(lstatSync(join(store, 'unpacked', tree, 'home/app/secret')).uid).toBe(firstUid + 999)
  expect(readdirSync(join(store, 'unpacked', tree, 'home'))).toEqual(['app'])
  expect(readdirSync(at('run/bundle-tool')).filter((entry) => !entry.startsWith('.'))).toEqual([])
  expect(asUser(tool, 'prune')).toMatchObject({ status: 0 })
  expect(readdirSync(join(store, 'unpacked'))).toEqual([])
})
