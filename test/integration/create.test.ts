import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, vi } from 'vitest'
import type { RuntimeConfig } from '../../src/oci/runtime-config.ts'
import { ContainerPlace } from '../container.ts'
import { requires } from '../requirements.ts'

const { test } = requires('root', 'busybox')

const front = join(import.meta.dirname, '../../bin/bundle-tool')

let place: ContainerPlace
beforeEach(() => {
  place = new ContainerPlace()
})
afterEach(() => place.close())

const status = (): unknown => JSON.parse(place.tool(['state', place.id]).stdout).status

test('a container is created, started, stopped and deleted', () => {
  place.configure('echo $$ > /proof; exec sleep 1000', { config: { root: { path: 'rootfs' } } })
  const proof = join(place.bundle, 'rootfs/proof')
  expect(place.tool(['create', '--pid-file', 'pid', '-b', place.bundle, place.id])).toMatchObject({
    end: 0,
    stderr: '',
  })
  const pid = readFileSync(join(place.directory, 'pid'), 'utf8')
  expect(JSON.parse(place.tool(['state', place.id]).stdout)).toMatchObject({
    id: place.id,
    status: 'created',
    pid: Number(pid),
    bundle: place.bundle,
  })
  expect(readFileSync(`/proc/${pid}/cgroup`, 'utf8')).toContain(place.id)
  expect(existsSync(proof)).toBe(false)
  expect(place.tool(['start', place.id])).toMatchObject({ end: 0, stderr: '' })
  expect(status()).toBe('running')
  expect(place.tool(['start', place.id]).end).not.toBe(0)
  expect(place.tool(['delete', place.id]).end).not.toBe(0)
  expect(place.tool(['kill', place.id, 'KILL']).end).toBe(0)
  while (existsSync(`/proc/${pid}/root/bin`));
  expect(status()).toBe('stopped')
  expect(place.tool(['delete', place.id])).toMatchObject({ end: 0, stderr: '' })
  expect(place.leftovers()).toEqual([])
})

test('a created container has only descriptors that close as its command starts', () => {
  place.configure('exec sleep 1000')
  place.tool(['create', '--pid-file', 'pid', '-b', place.bundle, place.id])
  const pid = readFileSync(join(place.directory, 'pid'), 'utf8')
  place.tool(['start', place.id])
  const { stdout } = place.tool(['exec', place.id, 'ls', `/proc/1/fd`])
  expect(stdout.trim().split('\n')).toEqual(['0', '1', '2'])
  expect(readFileSync(`/proc/${pid}/comm`, 'utf8')).toBe('sleep\n')
})

test('a created container has nothing open that its caller had, nor the bundle', () => {
  place.configure('true')
  const caller = join(place.directory, 'of-the-caller')
  writeFileSync(caller, '')
  for (const _ of ['compiled', 'kept']) {
    const args = ['--root', place.root, 'create', '-b', place.bundle, place.id]
    const { status } = spawnSync(front, args, { stdio: ['ignore', 'ignore', 'ignore', openSync(caller, 'r')] })
    expect(status).toBe(0)
    const { pid } = JSON.parse(place.tool(['state', place.id]).stdout)
    const open = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`))
    expect(open).not.toContain(caller)
    expect(open).not.toContain(place.bundle)
    expect(place.tool(['delete', '-f', place.id]).end).toBe(0)
  }
})

test.each(['TERM', 'INT', 'HUP'])('a created container that was never started ends at SIG%s', async (signal) => {
  place.configure('exit 0')
  place.tool(['create', '-b', place.bundle, place.id])
  expect(place.tool(['kill', place.id, signal]).end).toBe(0)
  await vi.waitFor(() => expect(status()).toBe('stopped'))
  expect(place.tool(['delete', place.id])).toMatchObject({ end: 0, stderr: '' })
  expect(place.leftovers()).toEqual([])
})

test('a created container that was never started is deleted by force', () => {
  place.configure('exit 0')
  expect(place.tool(['create', '-b', place.bundle, place.id]).end).toBe(0)
  expect(place.tool(['delete', '-f', place.id])).toMatchObject({ end: 0, stderr: '' })
  expect(place.leftovers()).toEqual([])
})

test('an ID that is taken fails the create, and the first container is as it was', () => {
  place.configure('exit 0')
  expect(place.tool(['create', '-b', place.bundle, place.id]).end).toBe(0)
  const { end, stderr } = place.tool(['create', '-b', place.bundle, place.id])
  expect(end).not.toBe(0)
  expect(stderr).toContain('container with given ID already exists')
  expect(status()).toBe('created')
})

test.each(['', '..', '../../etc'])('the ID %j is refused', (id) => {
  place.configure('exit 0')
  const { end, stderr } = place.tool(['create', '-b', place.bundle, id])
  expect(end).not.toBe(0)
  expect(stderr).not.toBe('')
  expect(place.leftovers()).toEqual([])
})

test('a pid file that cannot be written fails the create, and nothing is left', () => {
  place.configure('exit 0')
  const { end, stderr } = place.tool(['create', '--pid-file', '/no/such/directory/pid', '-b', place.bundle, place.id])
  expect(end).not.toBe(0)
  expect(stderr).toContain('--pid-file (/no/such/directory/pid): openat: no such file or directory')
  expect(place.leftovers()).toEqual([])
})

/** Kills the tool as it waits for a hook of the container, which comes after the pid file is begun. */
async function killMidway(args: readonly string[]): Promise<void> {
  const hook = { path: '/bin/sh', args: ['sh', '-c', `echo > ${join(place.directory, 'hook')}; exec sleep 1000`] }
  place.configure('exec sleep 1000', { config: { hooks: { createContainer: [hook] } } })
  const child = spawn(front, ['--root', place.root, ...args, '-b', place.bundle, place.id], { stdio: 'ignore' })
  await vi.waitFor(() => expect(existsSync(join(place.directory, 'hook'))).toBe(true), { timeout: 10_000 })
  await vi.waitFor(() => expect(pidFiles()).not.toEqual([]), { timeout: 10_000 })
  child.kill('SIGKILL')
  await once(child, 'exit')
  rmSync(join(place.directory, 'hook'))
  expect(place.tool(['delete', place.id])).toMatchObject({ end: 0, stderr: '' })
}

const pidFiles = () => readdirSync(place.directory).filter((name) => name.startsWith('pid'))

test('what a killed create leaves of a pid file is in nobody’s way', async () => {
  const pidFile = join(place.directory, 'pid')
  await killMidway(['create', '--pid-file', pidFile])
  const [left = ''] = pidFiles()
  // Whatever pid the next one has: what the killed one has left may have its name.
  for (let pid = process.pid; pid < process.pid + 3000; pid++) {
    if (`pid.${pid}` !== left) symlinkSync('/etc/passwd', `${pidFile}.${pid}`)
  }
  place.configure('exec sleep 1000')
  expect(place.tool(['create', '--pid-file', pidFile, '-b', place.bundle, place.id])).toMatchObject({
    end: 0,
    stderr: '',
  })
  const { pid } = JSON.parse(place.tool(['state', place.id]).stdout)
  expect([readFileSync(pidFile, 'utf8'), lstatSync(pidFile).isFile()]).toEqual([String(pid), true])
  expect(pidFiles()).toContain(left)
  expect(readFileSync('/etc/passwd', 'utf8')).toMatch(/^root:/)
})

test('two that are told the same pid file do not mix up each other’s', async () => {
  const pidFile = join(place.directory, 'pid')
  place.configure('exec sleep 1000')
  const ids = Array.from({ length: 8 }, (_, index) => `${place.id}-${index}`)
  const ends = ids.map(async (id) => {
    const child = spawn(front, ['--root', place.root, 'run', '-d', '--pid-file', pidFile, '-b', place.bundle, id], {
      stdio: 'ignore',
    })
    return (await once(child, 'exit'))[0]
  })
  expect(await Promise.all(ends)).toEqual(ids.map(() => 0))
  const pids = ids.map((id) => JSON.parse(place.tool(['state', id]).stdout).pid)
  expect(pids).toContain(Number(readFileSync(pidFile, 'utf8')))
  expect(pidFiles()).toEqual(['pid'])
})

const failing = [{ path: '/bin/false', args: ['false'] }]

test.each<[string, readonly string[], RuntimeConfig['hooks']]>([
  ['create', ['--pidfd-socket', 'nobody-listens'], {}],
  ['run', ['--pidfd-socket', 'nobody-listens'], {}],
  ['run', [], { startContainer: failing }],
  ['run', [], { poststart: failing }],
  ['run', ['--detach'], { startContainer: failing }],
  ['run', ['--detach'], { poststart: failing }],
])('%s %j with the hooks %j fails, and leaves no pid file', (command, flags, hooks) => {
  place.configure('exec sleep 1000', { config: { hooks } })
  const { end, stderr } = place.tool([command, ...flags, '--pid-file', 'pid', '-b', place.bundle, place.id])
  expect(end).toBe(1)
  expect(stderr).toContain(flags.includes('--pidfd-socket') ? 'nobody-listens' : 'hook #0')
  expect(readdirSync(place.directory).filter((name) => name.startsWith('pid'))).toEqual([])
  expect(place.leftovers()).toEqual([])
})

test('every problem of a config.json is reported at once', () => {
  writeFileSync(
    join(place.bundle, 'config.json'),
    JSON.stringify({
      ociVersion: '1.0.0',
      root: {},
      process: { cwd: 'relative', args: [], user: { uid: -1, gid: 0 } },
    }),
  )
  const { end, stderr } = place.tool(['create', '-b', place.bundle, place.id])
  expect(end).not.toBe(0)
  for (const pointer of ['/root/path', '/process/cwd', '/process/user/uid']) expect(stderr).toContain(pointer)
})
