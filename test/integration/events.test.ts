import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, vi } from 'vitest'
import { ContainerPlace } from '../container.ts'
import { requires } from '../requirements.ts'

const { test } = requires('root', 'busybox')
const { test: testWithRunc } = requires('root', 'busybox', 'runc', 'cgroup1')

const soon = { timeout: 20_000, interval: 20 }
const mebi = 2 ** 20
let place: ContainerPlace
beforeEach(() => {
  place = new ContainerPlace()
})
afterEach(() => place.close())

function run(script: string, resources = {}): void {
  const config = place.configure(script, { linux: { resources } })
  place.write({ ...config, root: { path: 'rootfs' } })
  expect(place.tool(['run', '-d', '-b', place.bundle, place.id])).toMatchObject({ end: 0 })
}

/** Starts `events`, and collects its lines. */
function follow(...flags: readonly string[]) {
  const child = place.start(['events', ...flags, place.id])
  const chunks: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
  const ended = new Promise((resolve) => child.on('close', resolve))
  const lines = () =>
    Buffer.concat(chunks)
      .toString()
      .split('\n')
      .filter((line) => line !== '')
  return { lines, ended }
}

/** Objects and arrays with the type of each value in its place. */
const shapeOf = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(shapeOf)
  if (typeof value !== 'object' || value === null) return value === null ? 'null' : typeof value
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, shapeOf(member)]))
}

test('--stats is one line of what the container uses', () => {
  run('exec sleep 1000', { memory: { limit: 64 * mebi }, pids: { limit: 50 } })
  const { end, stdout, stderr } = place.tool(['events', '--stats', place.id])
  expect({ end, stderr }).toEqual({ end: 0, stderr: '' })
  expect(stdout.startsWith(`{"type":"stats","id":"${place.id}","data":{"cpu":`)).toBe(true)
  expect(stdout.split('\n')).toHaveLength(2)
  const { data } = JSON.parse(stdout)
  expect(data.pids).toEqual({ current: 1, limit: 50 })
  expect(data.memory.usage.limit).toBe(64 * mebi)
  expect(data.memory.usage.usage).toBeGreaterThan(4096)
  expect(data.memory.usage.usage).toBeLessThan(64 * mebi)
  expect(data.cpu.usage.total).toBeGreaterThan(100_000)
})

test('CPU time and processes are counted', async () => {
  run('for i in 1 2 3; do sleep 1000 & done; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; touch /done; wait')
  await vi.waitFor(() => expect(existsSync(join(place.bundle, 'rootfs/done'))).toBe(true), soon)
  const { data } = JSON.parse(place.tool(['events', '--stats', place.id]).stdout)
  expect(data.pids.current).toBe(4)
  expect(data.cpu.usage.total).toBeGreaterThan(5_000_000)
})

test('lines come at each interval, and end with the container', async () => {
  run('exec sleep 1000')
  const { lines, ended } = follow('--interval', '100ms')
  await vi.waitFor(() => expect(lines().length).toBeGreaterThan(2), soon)
  expect(place.tool(['delete', '-f', place.id]).end).toBe(0)
  expect(await ended).toBe(0)
  for (const line of lines()) expect(JSON.parse(line)).toMatchObject({ type: 'stats', id: place.id })
})

test('a process that is killed for want of memory is an event', async () => {
  run('mkfifo /go; read x </go; dd if=/dev/zero of=/dev/null bs=256M count=1; exec sleep 1000', {
    memory: { limit: 32 * mebi, swap: 32 * mebi },
  })
  const { lines, ended } = follow('--interval', '100ms')
  await vi.waitFor(() => expect(lines().length).toBeGreaterThan(0), soon)
  expect(place.tool(['exec', place.id, 'sh', '-c', 'echo >/go']).end).toBe(0)
  await vi.waitFor(() => expect(lines()).toContain(`{"type":"oom","id":"${place.id}"}`), soon)
  place.tool(['delete', '-f', place.id])
  expect(await ended).toBe(0)
  expect(lines().filter((line) => line.includes('oom"'))).toHaveLength(1)
})

test.each([
  [['--interval', '0s'], 'must be greater than 0'],
  [['--interval', '5'], 'must be a duration'],
  [['--interval', '-1s'], 'must be a duration'],
])('%j is refused', (flags, message) => {
  run('exec sleep 1000')
  expect(place.tool(['events', ...flags, place.id])).toMatchObject({
    end: 1,
    stdout: '',
    stderr: expect.stringContaining(message),
  })
})

test('a stopped container has no events', () => {
  place.configure('exit 0')
  place.tool(['run', '--keep', '-b', place.bundle, place.id])
  expect(place.tool(['events', place.id])).toMatchObject({ end: 1, stderr: expect.stringContaining('is not running') })
})

testWithRunc('it is what runc prints, member for member', async () => {
  run('i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done; touch /done; exec sleep 1000', {
    memory: { limit: 64 * mebi },
    cpu: { quota: 5000, period: 10_000, cpus: '0-1', mems: '0' },
    pids: { limit: 50 },
  })
  await vi.waitFor(() => expect(existsSync(join(place.bundle, 'rootfs/done'))).toBe(true), soon)
  // So that nothing is used between the two.
  expect(place.tool(['pause', place.id]).end).toBe(0)
  const theirs = execFileSync('runc', ['--root', place.root, 'events', '--stats', place.id], { encoding: 'utf8' })
  const ours = place.tool(['events', '--stats', place.id]).stdout
  const [a, b] = [JSON.parse(theirs), JSON.parse(ours)]
  // runc looks for it among the hierarchies of v1 alone.
  if (!existsSync('/sys/fs/cgroup/hugetlb')) b.data.hugetlb = a.data.hugetlb
  expect(shapeOf(b)).toEqual(shapeOf(a))
  for (const member of ['cpu', 'cpuset', 'pids', 'blkio']) expect(b.data[member]).toEqual(a.data[member])
  for (const kind of ['usage', 'swap', 'kernel', 'kernelTCP']) {
    expect(b.data.memory[kind].limit).toBe(a.data.memory[kind].limit)
  }
  expect(Object.keys(b.data.memory.raw)).toEqual(Object.keys(a.data.memory.raw))
  // 64-bit numbers, to the last digit.
  const limits = (text: string) => text.match(/"limit":\d+/g)
  expect(limits(ours)).toEqual(limits(theirs))
})
