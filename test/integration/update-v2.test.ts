import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect } from 'vitest'
import type { Resources } from '../../src/oci/runtime-config.ts'
import { readContainer } from '../../src/runtime/state-file.ts'
import { ContainerPlace } from '../container.ts'
import { requires } from '../requirements.ts'

const { test } = requires('root', 'busybox', 'cgroup2')

const mebi = 2 ** 20
const done = { end: 0, stdout: '', stderr: '' }
let place: ContainerPlace
beforeEach(() => {
  place = new ContainerPlace()
})
afterEach(() => place.close())

function run(resources: Resources): void {
  place.configure('exec sleep 1000', { linux: { resources } })
  expect(place.tool(['run', '-d', '-b', place.bundle, place.id])).toMatchObject({ end: 0 })
}
const cgroup = (): string => readContainer(place.root, place.id).cgroupPaths[''] ?? ''
const control = (file: string): string => readFileSync(join(cgroup(), file), 'utf8').trim()
const update = (...flags: readonly string[]) => place.tool(['update', ...flags, place.id])
const updateWith = (document: unknown) =>
  place.tool(['update', '-r', '-', place.id], { input: JSON.stringify(document) })

const memory = () => ['memory.max', 'memory.swap.max', 'memory.low'].map(control)

test('swap is limited without memory, and follows a change of memory', () => {
  run({ memory: { limit: 32 * mebi, swap: 48 * mebi, reservation: 24 * mebi } })
  expect(memory()).toEqual([32 * mebi, 16 * mebi, 24 * mebi].map(String))
  expect(update('--memory', '40M')).toEqual(done)
  expect(memory()).toEqual([40 * mebi, 8 * mebi, 24 * mebi].map(String))
  expect(update('--memory', '64M', '--memory-swap', '64M')).toEqual(done)
  expect(memory()).toEqual([String(64 * mebi), '0', String(24 * mebi)])
  expect(update('--memory', '96M')).toMatchObject({ end: 1, stderr: expect.stringContaining('memory+swap limit') })
  expect(update('--memory', '-1')).toEqual(done)
  expect(memory()).toEqual(['max', 'max', String(24 * mebi)])
})

test('CPU: weight, bandwidth and burst, the one kept while the other changes', () => {
  run({ cpu: { shares: 100, quota: 500_000, period: 1_000_000 } })
  const cpu = () => ['cpu.weight', 'cpu.max', 'cpu.max.burst', 'cpu.idle'].map(control)
  expect(cpu()).toEqual(['17', '500000 1000000', '0', '0'])
  expect(update('--cpu-quota', '600000', '--cpu-burst', '500000', '--cpu-share', '200')).toEqual(done)
  expect(cpu()).toEqual(['29', '600000 1000000', '500000', '0'])
  expect(update('--cpu-quota', '300000')).toMatchObject({ end: 1, stderr: expect.stringContaining('EINVAL') })
  expect(update('--cpu-quota', '300000', '--cpu-burst', '1000', '--cpu-period', '900000')).toEqual(done)
  expect(cpu()).toEqual(['29', '300000 900000', '1000', '0'])
  expect(update('--cpu-idle', '1')).toEqual(done)
  expect(update('--cpu-idle', '0', '--cpu-share', '1024')).toEqual(done)
  expect(cpu()).toEqual(['100', '300000 900000', '1000', '0'])
})

test('unified has the last word, and all goes back when it is refused', () => {
  run({ pids: { limit: 20 }, unified: { 'pids.max': '30', 'memory.high': '30000000' } })
  expect([control('pids.max'), control('memory.high')]).toEqual(['30', '29999104'])
  expect(updateWith({ pids: { limit: 5 }, unified: { 'memory.high': 'nonsense' } })).toMatchObject({ end: 1 })
  expect(control('pids.max')).toBe('30')
  expect(updateWith({ pids: { limit: 5 }, unified: { 'memory.high': 'max' } })).toEqual(done)
  expect([control('pids.max'), control('memory.high')]).toEqual(['5', 'max'])
  expect(updateWith({ unified: { 'nosuch.max': '1' } })).toMatchObject({
    end: 1,
    stderr: expect.stringContaining('ENOENT'),
  })
})

test('huge pages are limited, reserved ones too', () => {
  run({ hugepageLimits: [{ pageSize: '2MB', limit: 4 * mebi }] })
  expect(control('hugetlb.2MB.max')).toBe(String(4 * mebi))
  if (existsSync(join(cgroup(), 'hugetlb.2MB.rsvd.max'))) {
    expect(control('hugetlb.2MB.rsvd.max')).toBe(String(4 * mebi))
  }
})

test('what only cgroup v1 has is refused', () => {
  run({})
  expect(updateWith({ memory: { swappiness: 5 } })).toMatchObject({
    end: 1,
    stderr: expect.stringContaining('cgroup v2 has no memory.swappiness'),
  })
})

test('exec goes where the first process is when the cgroup takes none', () => {
  run({})
  const directory = cgroup()
  mkdirSync(join(directory, 'first'))
  for (const pid of control('cgroup.procs').split('\n')) writeFileSync(join(directory, 'first/cgroup.procs'), pid)
  writeFileSync(join(directory, 'cgroup.subtree_control'), '+pids')
  const { end, stdout } = place.tool(['exec', place.id, 'cat', '/proc/self/cgroup'])
  expect({ end, stdout }).toEqual({ end: 0, stdout: expect.stringMatching(/^0::.*\/first\n$/) })
  expect(place.tool(['delete', '-f', place.id])).toEqual(done)
  expect(place.leftovers()).toEqual([])
})
