import { expect, test } from 'vitest'
import { hostOf } from '../../../src/compile/cgroup/limit.ts'
import { limitsOf } from '../../../src/compile/cgroup/limits.ts'
import { limitProperties, limitsForUnit, type SystemdManager, unitOf } from '../../../src/compile/cgroup/systemd.ts'
import type { Resources } from '../../../src/oci/runtime-config.ts'
import { smallConfig } from '../hosts.ts'

const manager: SystemdManager = { kind: 'system', version: 252, cgroup: '/', command: ['/bin/tool', 'internal'] }
const userCgroup = '/user.slice/user-1000.slice/user@1000.service'
const user: SystemdManager = { ...manager, kind: 'user', cgroup: userCgroup }

const textOf = (text: string | readonly unknown[]): string =>
  typeof text === 'string' ? text : text.map((piece) => (typeof piece === 'string' ? piece : 'ID')).join('')

const unit = (cgroupsPath: string | undefined, who = manager) => {
  const found = unitOf({ ...smallConfig, linux: cgroupsPath === undefined ? {} : { cgroupsPath } }, who)
  return { slice: found.slice, name: textOf(found.name), path: textOf(found.path), parents: found.parents }
}

test.each([
  [undefined, 'system.slice', 'runc-ID.scope', '/system.slice/runc-ID.scope'],
  ['::web', 'system.slice', 'web.scope', '/system.slice/web.scope'],
  [':cri:web', 'system.slice', 'cri-web.scope', '/system.slice/cri-web.scope'],
  ['-:cri:web', '-.slice', 'cri-web.scope', '/cri-web.scope'],
  ['a-b-c.slice:cri:web', 'a-b-c.slice', 'cri-web.scope', '/a.slice/a-b.slice/a-b-c.slice/cri-web.scope'],
  ['a.slice:cri:a-b.slice', 'a.slice', 'a-b.slice', '/a.slice/a-b.slice'],
])('cgroupsPath %j is in %s the unit %s', (cgroupsPath, slice, name, path) => {
  expect(unit(cgroupsPath)).toMatchObject({ slice, name, path })
  const below = slice === 'system.slice' && !cgroupsPath?.startsWith('system') ? path.replace('/system', '/user') : path
  expect(unit(cgroupsPath, user).path).toBe(`${userCgroup}${below}`)
})

test('the cgroups above a unit are named from the top', () => {
  expect(unit('a-b.slice:x:y').parents).toEqual(['/a.slice', '/a.slice/a-b.slice'])
  expect(unit(undefined, user).parents).toEqual([
    '/user.slice',
    '/user.slice/user-1000.slice',
    userCgroup,
    `${userCgroup}/user.slice`,
  ])
})

test.each([
  '/a/b',
  'a.slice:b',
  'a.slice:b:',
  'a:b:c:d',
  'a/b.slice:x:y',
  'a.service:x:y',
  '-a.slice:x:y',
  'a--b.slice:x:y',
])('cgroupsPath %j is refused', (cgroupsPath) => {
  expect(() => unit(cgroupsPath)).toThrow(
    expect.objectContaining({ code: 'ERR_CONFIG_INVALID', pointer: '/linux/cgroupsPath' }),
  )
})

const properties = (resources: Resources, version = 252) =>
  limitProperties(limitsOf(resources, hostOf(2)), version).map(([name, type, value]) => [`${name} ${type}`, value])
const infinity = '18446744073709551615'

test.each<[Resources, Readonly<Record<string, unknown>>]>([
  [{}, {}],
  [{ memory: { limit: 4096, swap: 8192, reservation: 2048 } }, memory('4096', '4096', '2048')],
  [{ memory: { limit: -1, reservation: -1 } }, memory(infinity, infinity, infinity)],
  [{ pids: { limit: 7 } }, { 'TasksMax t': '7' }],
  [{ pids: { limit: 0 } }, { 'TasksMax t': '1' }],
  [{ pids: { limit: -1 } }, { 'TasksMax t': infinity }],
  [{ cpu: { shares: 1024 } }, { 'CPUWeight t': '100' }],
  [{ cpu: { idle: 1 } }, { 'CPUWeight t': '0' }],
  [{ cpu: { quota: 50_000 } }, { 'CPUQuotaPeriodUSec t': '100000', 'CPUQuotaPerSecUSec t': '500000' }],
  [
    { cpu: { quota: 10_001, period: 1_000_000 } },
    { 'CPUQuotaPeriodUSec t': '1000000', 'CPUQuotaPerSecUSec t': '20000' },
  ],
  [{ cpu: { quota: -1, period: 50_000 } }, { 'CPUQuotaPeriodUSec t': '50000', 'CPUQuotaPerSecUSec t': infinity }],
  [{ cpu: { cpus: '0-2,9', mems: '1' } }, { 'AllowedCPUs ay': [7, 2], 'AllowedMemoryNodes ay': [2] }],
  [{ cpu: { cpus: '8191' } }, { 'AllowedCPUs ay': [...Array(1023).fill(0), 128] }],
  [{ unified: { 'memory.high': '4096', 'memory.min': 'max', 'pids.max': '3' }, pids: { limit: 9 } }, unified()],
  [{ hugepageLimits: [{ pageSize: '2MB', limit: 0 }], rdma: { mlx: { hcaHandles: 1 } } }, {}],
])('%j becomes the properties %j', (resources, expected) => {
  expect(Object.fromEntries(properties(resources))).toEqual(expected)
})

function memory(max: string, swap: string, low: string) {
  return { 'MemoryMax t': max, 'MemorySwapMax t': swap, 'MemoryLow t': low }
}

function unified() {
  return { 'TasksMax t': '3', 'MemoryHigh t': '4096', 'MemoryMin t': infinity }
}

test('properties that an older systemd does not know are left out', () => {
  const cpu = { quota: 50_000, cpus: '0', idle: 1 }
  expect(properties({ cpu }, 241)).toEqual([['CPUQuotaPerSecUSec t', '500000']])
  expect(properties({ cpu }, 243).map(([name]) => name)).toEqual(['CPUQuotaPeriodUSec t', 'CPUQuotaPerSecUSec t'])
})

test.each([
  ['500000 900000', '504000 900000'],
  ['10001 1000000', '20000 1000000'],
  ['50000 100000', '50000 100000'],
  ['max 100000', 'max 100000'],
  ['50000', '50000'],
])('the quota "%s" is written as systemd would: "%s"', (value, expected) => {
  const limits = limitsOf({ unified: { 'cpu.max': value } }, hostOf(2))
  expect(limitsForUnit(limits, () => {}).map((limit) => limit.value)).toEqual([expected])
})

test.each<[Resources, readonly string[], boolean]>([
  [{ cpu: { shares: 1024 } }, ['cpu.weight=100', 'cpu.idle=0'], false],
  [{ cpu: { shares: 1024, idle: 0 } }, ['cpu.weight=100', 'cpu.idle=0'], false],
  [{ cpu: { shares: 1024, idle: 1 } }, ['cpu.idle=1'], true],
  [{ unified: { 'cpu.idle': '1', 'cpu.weight': '8' } }, ['cpu.idle=1'], true],
  [{ cpu: { idle: 1 } }, ['cpu.idle=1'], false],
  [{ pids: { limit: 3 } }, ['pids.max=3'], false],
])('systemd can have only one of weight and idle: %j becomes %j', (resources, expected, isWarned) => {
  const warnings: string[] = []
  const limits = limitsForUnit(limitsOf(resources, hostOf(2)), (text) => warnings.push(text))
  expect(limits.map(({ file, value }) => `${file}=${value}`)).toEqual(expected)
  expect(warnings).toHaveLength(isWarned ? 1 : 0)
})

test.each([['0-8192'], ['a'], ['3-1'], ['0-7:2/4']])('cpus "%s" is refused', (cpus) => {
  expect(() => properties({ cpu: { cpus } })).toThrow(
    expect.objectContaining({ code: 'ERR_CONFIG_INVALID', pointer: '/linux/resources/cpu/cpus' }),
  )
})
