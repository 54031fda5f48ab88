import { spawnSync } from 'node:child_process'
import { existsSync, openSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, vi } from 'vitest'
import type { RuntimeConfig } from '../../src/oci/runtime-config.ts'
import { ContainerPlace } from '../container.ts'
import { requires } from '../requirements.ts'

const { test } = requires('root', 'busybox')

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
  const front = join(import.meta.dirname, '../../bin/bundle-tool')
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
  expect(stderr).toContain('--pid-file')
  expect(place.leftovers()).toEqual([])
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
