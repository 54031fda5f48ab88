import { expect, test } from 'vitest'
import { sharesToWeight } from '../../../src/compile/cgroup/limits-v2.ts'
import type { Resources } from '../../../src/oci/runtime-config.ts'
import { compileWith, hosts } from '../hosts.ts'

test.each([
  [0, 1],
  [2, 1],
  [100, 17],
  [512, 59],
  [1024, 100],
  [2048, 174],
  [262_144, 10_000],
  [1_000_000, 10_000],
])('%i CPU shares are the weight %i', (shares, weight) => {
  expect(sharesToWeight(shares)).toBe(weight)
})

test('more shares never weigh less', () => {
  let before = 0
  for (let shares = 2; shares <= 262_144; shares += 37) {
    const weight = sharesToWeight(shares)
    expect(weight).toBeGreaterThanOrEqual(before)
    before = weight
  }
})

/** The content that is written into control files, by the file's name. */
function written(resources: Resources, facts: (typeof hosts)[keyof typeof hosts]): Record<string, string> {
  const steps = compileWith({ linux: { resources }, facts }).host.filter(
    ({ op, from }) => op === 'write_file' && from.startsWith('/linux/resources/') && !from.includes('devices'),
  )
  return Object.fromEntries(
    steps.map(({ operands: { path, content } }) => {
      const text = Array.isArray(path) ? String(path.at(-1)) : String(path)
      return [text.split('/').at(-1) ?? '', String(content)]
    }),
  )
}

const tables: readonly (readonly [string, Resources, Record<string, string>, Record<string, string>])[] = [
  ['a memory limit', { memory: { limit: 100n } }, { 'memory.limit_in_bytes': '100' }, { 'memory.max': '100' }],
  [
    'no limit of memory',
    { memory: { limit: -1 } },
    { 'memory.limit_in_bytes': '-1', 'memory.memsw.limit_in_bytes': '-1' },
    { 'memory.max': 'max', 'memory.swap.max': 'max' },
  ],
  ['zeros, which mean nothing', { memory: { limit: 0, swap: 0 }, cpu: { shares: 0, quota: 0, period: 0 } }, {}, {}],
  [
    'memory and swap',
    { memory: { limit: 100, swap: 300 } },
    { 'memory.limit_in_bytes': '100', 'memory.memsw.limit_in_bytes': '300' },
    { 'memory.max': '100', 'memory.swap.max': '200' },
  ],
  [
    'unlimited swap',
    { memory: { limit: 100, swap: -1 } },
    { 'memory.limit_in_bytes': '100', 'memory.memsw.limit_in_bytes': '-1' },
    { 'memory.max': '100', 'memory.swap.max': 'max' },
  ],
  ['a reservation', { memory: { reservation: 50 } }, { 'memory.soft_limit_in_bytes': '50' }, { 'memory.low': '50' }],
  ['a quota', { cpu: { quota: 50_000 } }, { 'cpu.cfs_quota_us': '50000' }, { 'cpu.max': '50000 100000' }],
  ['a period', { cpu: { period: 50_000 } }, { 'cpu.cfs_period_us': '50000' }, { 'cpu.max': 'max 50000' }],
  ['no quota', { cpu: { quota: -1 } }, { 'cpu.cfs_quota_us': '-1' }, { 'cpu.max': 'max 100000' }],
  ['shares', { cpu: { shares: 2048 } }, { 'cpu.shares': '2048' }, { 'cpu.weight': '174' }],
  ['idle', { cpu: { idle: 1 } }, { 'cpu.idle': '1' }, { 'cpu.idle': '1' }],
  [
    'a cpuset',
    { cpu: { cpus: '0-1', mems: '0' } },
    { 'cpuset.cpus': '0-1', 'cpuset.mems': '0' },
    { 'cpuset.cpus': '0-1', 'cpuset.mems': '0' },
  ],
  ['an empty cpuset', { cpu: { cpus: '', mems: '' } }, {}, {}],
  ['a pids limit', { pids: { limit: 5 } }, { 'pids.max': '5' }, { 'pids.max': '5' }],
  ['a pids limit of 0', { pids: { limit: 0 } }, { 'pids.max': '1' }, { 'pids.max': '1' }],
  ['no pids limit', { pids: { limit: -1 } }, { 'pids.max': 'max' }, { 'pids.max': 'max' }],
]
test.each(tables)('%s, on cgroup v1 and v2', (_, resources, v1, v2) => {
  expect(written(resources, hosts.hybrid)).toEqual(v1)
  expect(written(resources, hosts.v2)).toEqual(v2)
})

test.each([
  ['a swap limit without a memory limit', { memory: { swap: 100 } }],
  ['a swap limit below the memory limit', { memory: { limit: 200, swap: 100 } }],
])('%s is refused on cgroup v2', (_, resources) => {
  expect(() => written(resources, hosts.v2)).toThrow(
    expect.objectContaining({ code: 'ERR_CONFIG_INVALID', pointer: '/linux/resources/memory/swap' }),
  )
})

test('a limit whose controller the host does not have is refused', () => {
  const facts = { ...hosts.v1, cgroups: { ...hosts.v1.cgroups, hierarchies: [], v1Controllers: [] } }
  expect(() => compileWith({ linux: { resources: { pids: { limit: 1 } } }, facts })).toThrow(
    expect.objectContaining({ code: 'ERR_CONFIG_UNSUPPORTED', pointer: '/linux/resources/pids/limit' }),
  )
})
