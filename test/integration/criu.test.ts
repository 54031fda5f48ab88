import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, vi } from 'vitest'
import { engine, tool } from '../command-line.ts'
import { type ConfigChange, ContainerPlace } from '../container.ts'
import { requires } from '../requirements.ts'

const { test } = requires('root', 'busybox', 'criu', 'criu that works')

let place: ContainerPlace
beforeEach(() => {
  place = new ContainerPlace()
  mkdirSync(join(place.bundle, 'rootfs/tmp')) // CRIU changes the root by way of it
})
afterEach(() => place.close())

const counter = 'while :; do i=$((i+1)); echo $i > /dev/shm/count; sleep 0.05; done'
/** With nothing open that is not the container's own: a file of the host cannot be saved. */
function run(script: string, change: ConfigChange = {}): void {
  place.configure(`exec </dev/null >/dev/null 2>&1; ${script}`, change)
  expect(place.tool(['run', '-d', '-b', place.bundle, place.id])).toMatchObject({ end: 0 })
}
const flags = ['--manage-cgroups-mode', 'ignore'] as const
const checkpoint = (...more: readonly string[]) => place.tool(['checkpoint', ...flags, ...more, place.id])
const restore = (...more: readonly string[]) =>
  place.tool(['restore', '-d', '-b', place.bundle, ...flags, ...more, place.id])
const look = (script: string): string => place.tool(['exec', place.id, 'sh', '-c', script]).stdout
const count = (): number => Number(look('cat /dev/shm/count'))
const status = (): unknown => JSON.parse(place.tool(['state', place.id]).stdout).status

test('a container goes on where it was, twice, with its cgroups, its mounts and what was executed in it', async () => {
  const change = { linux: { resources: { pids: { limit: 77 } } } }
  run(counter, change)
  await vi.waitFor(() => expect(count()).toBeGreaterThan(1))
  for (const round of [1, 2]) {
    const before = count()
    const mounts = look('cut -d" " -f5 /proc/self/mountinfo | sort')
    expect(checkpoint()).toMatchObject({ end: 0, stdout: '' })
    expect(place.leftovers()).toEqual([])
    expect(restore()).toMatchObject({ end: 0, stdout: '' })
    expect(status()).toBe('running')
    await vi.waitFor(() => expect(count()).toBeGreaterThan(before))
    expect(look('cut -d" " -f5 /proc/self/mountinfo | sort')).toBe(mounts)
    const { pid } = JSON.parse(place.tool(['state', place.id]).stdout)
    expect(readFileSync(`/proc/${pid}/cgroup`, 'utf8')).toContain(place.id)
    expect(look('readlink /proc/1/ns/time')).toBe(look('readlink /proc/self/ns/time'))
    // Without a cgroup namespace, cgroup v2 shows the whole hierarchy: the container's is below.
    const unified = '/sys/fs/cgroup$(sed -n s/^0:://p /proc/self/cgroup)/pids.max'
    expect(look(`cat /sys/fs/cgroup/pids/pids.max || cat ${unified}`).trim()).toBe('77')
    if (round === 1) look('sleep 1000 </dev/null >/dev/null 2>&1 & echo $! > /dev/shm/executed')
    else expect(look('cat /proc/$(cat /dev/shm/executed)/cmdline')).toContain('sleep')
  }
  expect(place.tool(['delete', '-f', place.id]).end).toBe(0)
  expect(place.leftovers()).toEqual([])
})

test('a container that is left running runs, and can be had a second time', async () => {
  run(counter)
  expect(checkpoint('--leave-running').end).toBe(0)
  const before = count()
  await vi.waitFor(() => expect(count()).toBeGreaterThan(before))
  expect(place.tool(['delete', '-f', place.id]).end).toBe(0)
  expect(restore().end).toBe(0)
  expect(status()).toBe('running')
})

test('in the foreground the exit code is that of the container, signals reach it, and nothing is left', async () => {
  run('trap "exit 9" TERM; while :; do sleep 0.05; done')
  expect(checkpoint().end).toBe(0)
  const child = place.start([
    'restore',
    '-b',
    place.bundle,
    ...flags,
    '--image-path',
    join(place.directory, 'checkpoint'),
    place.id,
  ])
  await vi.waitFor(() => expect(status()).toBe('running'), { timeout: 5000 })
  child.kill('SIGTERM')
  expect(await once(child, 'exit')).toEqual([9, null])
  expect(place.leftovers()).toEqual([])
})

test('pipes are those of whoever restores', async () => {
  place.configure('read line; echo got $line; read line; echo got $line')
  const out = join(place.directory, 'out')
  const command = [engine, tool, '--root', place.root]
  // Node.js makes sockets of pipes; the shell makes pipes.
  const inPipes = (input: string, words: readonly string[]) =>
    spawn('/bin/sh', ['-c', `${input} | "$@" 2>/dev/null | cat > ${out}`, 'sh', ...command, ...words], {
      stdio: 'ignore',
      detached: true,
    })
  const first = inPipes('(echo one; exec sleep 100)', ['run', '-d', '-b', place.bundle, place.id])
  await vi.waitFor(() => expect(readFileSync(out, 'utf8')).toBe('got one\n'), { timeout: 5000 })
  expect(checkpoint().end).toBe(0)
  process.kill(-Number(first.pid), 'SIGKILL')
  const images = ['--image-path', join(place.directory, 'checkpoint')]
  await once(inPipes('echo two', ['restore', '-b', place.bundle, ...flags, ...images, place.id]), 'exit')
  expect(readFileSync(out, 'utf8')).toBe('got two\n')
})

test('a restore that CRIU refuses leaves nothing, and says why', () => {
  run(counter)
  expect(checkpoint().end).toBe(0)
  const image = join(place.directory, 'checkpoint/inventory.img')
  expect(existsSync(image)).toBe(true)
  spawnSync('truncate', ['-s', '0', image])
  const { end, stderr } = restore()
  expect(end).toBe(1)
  expect(stderr).toContain('criu failed')
  expect(stderr).toContain('Quoting')
  expect(place.leftovers()).toEqual([])
})
