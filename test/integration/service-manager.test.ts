import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, vi } from 'vitest'
import { ContainerPlace } from '../container.ts'
import { ended, listenForNotify, type NotifyListener, sendReady } from '../notify-listener.ts'
import { requires } from '../requirements.ts'

const { test } = requires('root', 'busybox', 'perl')
const tool = join(import.meta.dirname, '../../bin/bundle-tool')

let place: ContainerPlace
let listener: NotifyListener
let variables: Record<string, string>
beforeEach(async () => {
  place = new ContainerPlace()
  variables = { NOTIFY_SOCKET: join(place.directory, 'host') }
  listener = await listenForNotify(join(place.directory, 'host'))
})
afterEach(async () => {
  listener.close()
  await place.close()
})

/** A container with the host's perl, which says that it is ready and then runs `after`. */
function configure(after: string): void {
  writeFileSync(join(place.directory, 'ready'), sendReady)
  const host = ['/usr', '/lib', '/lib64'].filter((path) => existsSync(path))
  for (const path of host) mkdirSync(join(place.bundle, 'rootfs', path), { recursive: true })
  const mounts = host.map((path) => ({ destination: path, source: path, options: ['rbind', 'ro'] }))
  const script = { destination: '/ready', source: join(place.directory, 'ready'), options: ['bind', 'ro'] }
  const { mounts: own = [] } = place.configure('')
  place.configure(`/usr/bin/perl /ready && ${after}`, { config: { mounts: [...own, ...mounts, script] } })
}

const start = (...args: readonly string[]) =>
  spawn(tool, ['--root', place.root, ...args], { stdio: 'ignore', env: { ...process.env, ...variables } })
const state = () => JSON.parse(place.tool(['state', place.id]).stdout)

async function expectReady(mainPid: () => unknown): Promise<void> {
  expect(await listener.next()).toBe('READY=1')
  expect(await listener.next()).toBe(`MAINPID=${mainPid()}`)
  expect(await listener.next()).toBe('BARRIER=1')
}

test('a detached run waits until the container is ready, and names its first process', async () => {
  configure('exec sleep 1000')
  const run = start('run', '-d', '-b', place.bundle, place.id)
  await expectReady(() => state().pid)
  expect(await ended(run)).toBe(0)
})

test('of a foreground container the runtime is the main process, and its exit code is that of the container', async () => {
  configure('exit 7')
  const run = start('run', '-b', place.bundle, place.id)
  await expectReady(() => run.pid)
  expect(await ended(run)).toBe(7)
  expect(place.leftovers()).toEqual([])
})

test('start waits for a container that was created with a socket for it', async () => {
  configure('exec sleep 1000')
  expect(await ended(start('create', '-b', place.bundle, place.id))).toBe(0)
  const starting = start('start', place.id)
  await expectReady(() => state().pid)
  expect(await ended(starting)).toBe(0)
  expect(place.tool(['delete', '-f', place.id]).end).toBe(0)
  expect(place.leftovers()).toEqual([])
})

test('a container that ends without a word ends the wait, and a host that does not listen is no obstacle', async () => {
  place.configure('exit 0')
  expect(await ended(start('run', '-d', '-b', place.bundle, place.id))).toBe(0)
  await vi.waitFor(() => expect(state().status).toBe('stopped'))
  expect(place.tool(['delete', place.id]).end).toBe(0)
  variables = { NOTIFY_SOCKET: '/nobody/listens' }
  place.configure('exit 3')
  expect(await ended(start('run', '-b', place.bundle, place.id))).toBe(3)
  expect(place.leftovers()).toEqual([])
})

test('sockets of socket activation are passed on, before other descriptors, and the container is told of them', () => {
  for (const name of ['one', 'two']) writeFileSync(join(place.directory, name), `${name}\n`)
  place.configure('cat <&3; cat <&4; echo $LISTEN_FDS $LISTEN_PID; [ -e /proc/self/fd/5 ] || echo no more')
  const run = (variable: string, ...flags: readonly string[]) => {
    const command = `cd ${place.directory}; export LISTEN_FDS=1 LISTEN_PID=${variable}; exec "$@" 3<one 4<two`
    const words = [tool, '--root', place.root, 'run', ...flags, '-b', place.bundle, place.id]
    return spawnSync('/bin/sh', ['-c', command, 'sh', ...words], { encoding: 'utf8' }).stdout
  }
  expect(run('$$', '--preserve-fds', '1')).toBe('one\ntwo\n1 1\nno more\n')
  expect(run('1', '--preserve-fds', '2')).toBe('one\ntwo\n\nno more\n')
})

test('a descriptor to preserve that is not open is an error, not one of the runtime', () => {
  place.configure('ls -l /proc/self/fd')
  const { end, stderr } = place.tool(['run', '--preserve-fds', '4', '-b', place.bundle, place.id])
  expect(end).toBe(1)
  expect(stderr).toContain('unable to stat preserved-fd')
})

test('a session keyring is made for the container, and joined by exec, unless it keeps that of the caller', () => {
  const keys = 'grep -c "_ses.$ID: " /proc/keys'
  const change = { process: { env: ['PATH=/bin', `ID=${place.id}`] }, linux: { maskedPaths: [] } }
  const counts = (...flags: readonly string[]): readonly string[] => {
    place.configure(`${keys} > /dev/shm/own; exec sleep 1000`, change)
    place.tool(['run', '-d', ...flags, '-b', place.bundle, place.id])
    const look = `while [ ! -s /dev/shm/own ]; do :; done; cat /dev/shm/own; ${keys}`
    const { stdout } = place.tool(['exec', place.id, 'sh', '-c', look])
    place.tool(['delete', '-f', place.id])
    return stdout.trim().split('\n')
  }
  // In this order: the kernel takes its time to remove a keyring.
  expect(counts('--no-new-keyring')).toEqual(['0', '0'])
  expect(counts()).toEqual(['1', '1'])
})
