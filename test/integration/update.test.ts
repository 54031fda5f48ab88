import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect } from 'vitest'
import type { Resources } from '../../src/oci/runtime-config.ts'
import { readContainer } from '../../src/runtime/state-file.ts'
import { ContainerPlace } from '../container.ts'
import { requires } from '../requirements.ts'

const { test } = requires('root', 'busybox', 'cgroup1')
const { test: testWithRunc } = requires('root', 'busybox', 'cgroup1', 'runc')

const mebi = 2 ** 20
const noLimit = '9223372036854771712'
const initial: Resources = {
  devices: [{ allow: false, access: 'rwm' }],
  memory: { limit: 32 * mebi, reservation: 24 * mebi },
  cpu: { shares: 100, quota: 500_000, period: 1_000_000, cpus: '0' },
  pids: { limit: 20 },
}
const files = {
  limit: ['memory', 'memory.limit_in_bytes'],
  swap: ['memory', 'memory.memsw.limit_in_bytes'],
  reservation: ['memory', 'memory.soft_limit_in_bytes'],
  shares: ['cpu', 'cpu.shares'],
  quota: ['cpu', 'cpu.cfs_quota_us'],
  period: ['cpu', 'cpu.cfs_period_us'],
  burst: ['cpu', 'cpu.cfs_burst_us'],
  idle: ['cpu', 'cpu.idle'],
  cpus: ['cpuset', 'cpuset.cpus'],
  pids: ['pids', 'pids.max'],
} as const

let place: ContainerPlace
beforeEach(() => {
  place = new ContainerPlace()
})
afterEach(() => place.close())

function run(resources: Resources = initial, script = 'exec sleep 1000'): void {
  place.configure(script, { linux: { resources } })
  expect(place.tool(['run', '-d', '-b', place.bundle, place.id])).toMatchObject({ end: 0 })
}

const control = (controller: string, file: string): string => {
  const { cgroupPaths } = readContainer(place.root, place.id)
  return readFileSync(join(cgroupPaths[controller] ?? '', file), 'utf8').trim()
}
const limits = (): Record<keyof typeof files, string> =>
  Object.fromEntries(
    Object.entries(files).map(([name, [controller, file]]) => [name, control(controller, file)]),
  ) as Record<keyof typeof files, string>

const done = { end: 0, stdout: '', stderr: '' }
const update = (...args: readonly string[]) => place.tool(['update', ...args])
const updateWith = (document: unknown) =>
  place.tool(['update', '-r', '-', place.id], { input: JSON.stringify(document) })

const before = {
  limit: String(32 * mebi),
  swap: noLimit,
  reservation: String(24 * mebi),
  shares: '100',
  quota: '500000',
  period: '1000000',
  burst: '0',
  idle: '0',
  cpus: '0',
  pids: '20',
}

test.each<[flags: readonly string[], expected: Partial<typeof before>]>([
  [['--memory', '64M'], { limit: String(64 * mebi) }],
  [['--memory=67108864', '--memory-swap', '96m'], { limit: String(64 * mebi), swap: String(96 * mebi) }],
  [['--memory', '-1'], { limit: noLimit }],
  [['--memory-reservation', '8MiB'], { reservation: String(8 * mebi) }],
  [['--cpu-share', '200'], { shares: '200' }],
  [['--cpu-quota', '-1'], { quota: '-1' }],
  [['--cpu-period', '900000', '--cpu-quota', '600000'], { period: '900000', quota: '600000' }],
  [['--cpu-quota', '600000', '--cpu-burst', '500000'], { quota: '600000', burst: '500000' }],
  [['--cpu-idle', '1'], { idle: '1', shares: '3' }],
  [['--cpuset-cpus', '0-1'], { cpus: '0-1' }],
  [['--pids-limit', '-1'], { pids: 'max' }],
  [['--pids-limit', '0'], { pids: '1' }],
])('update %j changes that alone', (flags, expected) => {
  run()
  expect(limits()).toEqual(before)
  expect(update(place.id, ...flags)).toEqual(done)
  expect(limits()).toEqual({ ...before, ...expected })
})

test('memory and swap change together, up and down', () => {
  run()
  for (const [memory, swap] of [
    [64, 96],
    [128, 196],
    [50, 60],
    [10, 200],
  ] as const) {
    expect(update('--memory', `${memory}M`, '--memory-swap', `${swap}M`, place.id)).toEqual(done)
    expect(limits()).toMatchObject({ limit: String(memory * mebi), swap: String(swap * mebi) })
  }
  expect(update('--memory', '-1', place.id)).toEqual(done)
  expect(limits()).toMatchObject({ limit: noLimit, swap: noLimit })
})

test('when the kernel refuses one value, all stay', () => {
  run()
  const { end, stderr } = update(
    '--memory',
    '64M',
    '--pids-limit',
    '9',
    '--cpu-share',
    '300',
    '--cpu-idle',
    '3',
    place.id,
  )
  expect({ end, values: limits() }).toEqual({ end: 1, values: before })
  expect(stderr).toMatch(/cpu\.idle: unable to set \S+cpu\.idle to .*3.*: EINVAL/)
})

test('a limit on memory that is in use is refused with what is in use', () => {
  run()
  const { end, stderr } = update('--memory', '64k', place.id)
  expect({ end, values: limits() }).toEqual({ end: 1, values: before })
  expect(stderr).toMatch(/EBUSY \(current usage: \d+, peak usage: \d+\)/)
  const refusal = updateWith({ memory: { limit: 65536, checkBeforeUpdate: true } })
  expect(refusal).toMatchObject({ end: 1, stderr: expect.stringMatching(/rejecting memory limit 65536 <= usage \d+/) })
})

test('of --resources null asks for nothing, and of two documents the first counts, as with runc', () => {
  run()
  expect(place.tool(['update', '-r', '-', place.id], { input: 'null\n' })).toEqual(done)
  expect(limits()).toEqual(before)
  const { end, stderr } = place.tool(['update', '-r', '-', place.id], { input: '{"pids": {"limit": 5}}\nnonsense' })
  expect({ end, pids: limits().pids }).toEqual({ end: 0, pids: '5' })
  expect(stderr).toContain(
    'level=warning msg="resources of \\"-\\": the text after the document, from line 2, column 1 on',
  )
})

test('--resources takes a document, its names in any case, and nothing else', () => {
  run()
  const document = { CPU: { Cpus: '0-1', quota: 400_000 }, Memory: { LIMIT: 48 * mebi }, pids: { limit: 5 } }
  const input = JSON.stringify(document)
  expect(place.tool(['update', '--resources', '-', '--pids-limit', '77', place.id], { input })).toEqual(done)
  const changed = { ...before, cpus: '0-1', quota: '400000', limit: String(48 * mebi), pids: '5' }
  expect(limits()).toEqual(changed)
  const file = join(place.directory, 'limits.json')
  writeFileSync(file, '{"cpu": {"shares": 512}}')
  expect(update(`--resources=${file}`, place.id)).toEqual(done)
  expect(limits()).toEqual({ ...changed, shares: '512' })
})

test('device rules stay as they are', () => {
  run()
  const rules = control('devices', 'devices.list')
  const updated = updateWith({ devices: [{ allow: true, access: 'rwm' }], pids: { limit: 6 } })
  expect(updated).toEqual({ ...done, stderr: expect.stringContaining('devices: rules are never changed') })
  expect({ rules: control('devices', 'devices.list'), pids: limits().pids }).toEqual({ rules, pids: '6' })
})

test('block I/O is throttled by device, and no longer', () => {
  const device = readdirSync('/sys/block').find((name) => !/^(loop|zram|ram)/.test(name))
  if (device === undefined) return expect.fail('this machine has no disk')
  const [major, minor] = readFileSync(`/sys/block/${device}/dev`, 'utf8').trim().split(':').map(Number)
  run({ ...initial, blockIO: { throttleReadBpsDevice: [{ major: major ?? 0, minor: minor ?? 0, rate: 1_000_000 }] } })
  const rates = () => control('blkio', 'blkio.throttle.read_bps_device')
  expect(rates()).toBe(`${major}:${minor} 1000000`)
  expect(updateWith({ blockIO: { throttleReadBpsDevice: [{ major, minor, rate: 2_000_000 }] } })).toEqual(done)
  expect(rates()).toBe(`${major}:${minor} 2000000`)
  const wrong = { blockIO: { throttleReadBpsDevice: [{ major, minor, rate: 0 }] }, cpu: { idle: 7 } }
  expect(updateWith(wrong).end).toBe(1)
  expect(rates()).toBe(`${major}:${minor} 2000000`)
  expect(updateWith({ blockIO: { throttleReadBpsDevice: [{ major, minor, rate: 0 }] } })).toEqual(done)
  expect(rates()).toBe('')
})

test('a paused container stays paused, a stopped one is refused', () => {
  run()
  place.tool(['pause', place.id])
  expect(update('--pids-limit', '3', place.id)).toEqual(done)
  expect({ status: JSON.parse(place.tool(['state', place.id]).stdout).status, pids: limits().pids }).toEqual({
    status: 'paused',
    pids: '3',
  })
  place.configure('exit 0')
  const id = `${place.id}.stopped`
  expect(place.tool(['run', '--keep', '-b', place.bundle, id]).end).toBe(0)
  expect(update('--pids-limit', '3', id)).toMatchObject({ end: 1, stderr: expect.stringContaining('not running') })
})

test.each([
  [['--memory', '1x'], 'it must be a size'],
  [['--cpu-share', 'many'], 'it must be an integer'],
  [['-r', '/nonexistent/file'], 'cannot be read: ENOENT'],
  [['--cpu-share', '1'], 'minimum allowed cpu-shares is 2'],
])('%j is refused', (flags, message) => {
  run()
  expect(update(...flags, place.id)).toMatchObject({ end: 1, stderr: expect.stringContaining(message) })
  expect(limits()).toEqual(before)
})

testWithRunc('runc updates what we have updated, and the other way round', () => {
  run()
  const runc = (...args: string[]) => execFileSync('runc', ['--root', place.root, 'update', ...args])
  expect(update('--memory', '64M', '--memory-swap', '128M', '--pids-limit', '11', place.id)).toEqual(done)
  runc('--memory', '96M', '--cpu-share', '300', place.id)
  expect(limits()).toMatchObject({ limit: String(96 * mebi), swap: String(128 * mebi), shares: '300' })
  expect(update('--cpu-share', '400', place.id)).toEqual(done)
  expect(limits()).toMatchObject({ limit: String(96 * mebi), swap: String(128 * mebi), shares: '400' })
  const { config } = JSON.parse(readFileSync(join(place.root, place.id, 'state.json'), 'utf8'))
  expect(config.cgroups).toMatchObject({ memory: 96 * mebi, cpu_shares: 400 })
})
