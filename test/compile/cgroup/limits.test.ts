import { describe, expect, test } from 'vitest'
import { weightToIO } from '../../../src/compile/cgroup/block-io.ts'
import { hostOf } from '../../../src/compile/cgroup/limit.ts'
import { limitsOf } from '../../../src/compile/cgroup/limits.ts'
import { sharesToWeight } from '../../../src/compile/cgroup/limits-v2.ts'
import type { Resources } from '../../../src/oci/runtime-config.ts'

const write = (resources: Resources, version: 1 | 2, hasBfq = false): readonly string[] =>
  limitsOf(resources, hostOf(version, hasBfq)).map(
    ({ file, value, optional }) => `${file} ${value}${optional ? ' (optional)' : ''}`,
  )

const device = { major: 8, minor: 16 }
const blockIO = {
  weight: 500,
  weightDevice: [{ ...device, weight: 1000 }],
  throttleReadBpsDevice: [{ ...device, rate: 4096 }],
  throttleWriteBpsDevice: [{ ...device, rate: 0 }],
  throttleReadIOPSDevice: [{ ...device, rate: 10 }],
  throttleWriteIOPSDevice: [{ ...device, rate: 20 }],
}

describe('the same field on cgroup v1 and v2', () => {
  test.each<[name: string, Resources, v1: readonly string[], v2: readonly string[]]>([
    ['nothing', {}, [], []],
    ['zeros', { memory: { limit: 0, swap: 0, reservation: 0 }, cpu: { shares: 0, quota: 0, period: 0 } }, [], []],
    ['memory', { memory: { limit: 4096 } }, ['memory.limit_in_bytes 4096'], ['memory.max 4096']],
    [
      'memory and swap',
      { memory: { limit: 4096, swap: 12288 } },
      ['memory.limit_in_bytes 4096', 'memory.memsw.limit_in_bytes 12288'],
      ['memory.swap.max 8192', 'memory.max 4096'],
    ],
    [
      'no swap',
      { memory: { limit: 4096, swap: 4096 } },
      ['memory.limit_in_bytes 4096', 'memory.memsw.limit_in_bytes 4096'],
      ['memory.swap.max 0 (optional)', 'memory.max 4096'],
    ],
    [
      'unlimited memory',
      { memory: { limit: -1 } },
      ['memory.memsw.limit_in_bytes -1 (optional)', 'memory.limit_in_bytes -1'],
      ['memory.swap.max max (optional)', 'memory.max max'],
    ],
    [
      'unlimited memory, limited swap',
      { memory: { limit: -1, swap: 4096 } },
      ['memory.limit_in_bytes -1', 'memory.memsw.limit_in_bytes 4096'],
      ['memory.swap.max 4096', 'memory.max max'],
    ],
    [
      'reservation',
      { memory: { reservation: 2n ** 40n } },
      ['memory.soft_limit_in_bytes 1099511627776'],
      ['memory.low 1099511627776'],
    ],
    ['shares', { cpu: { shares: 1024 } }, ['cpu.shares 1024'], ['cpu.weight 100']],
    ['quota', { cpu: { quota: 5000 } }, ['cpu.cfs_quota_us 5000'], ['cpu.max 5000 100000']],
    ['period', { cpu: { period: 5000 } }, ['cpu.cfs_period_us 5000'], ['cpu.max max 5000']],
    [
      'quota, period and burst',
      { cpu: { quota: -1, period: 5000, burst: 0 } },
      ['cpu.cfs_period_us 5000', 'cpu.cfs_quota_us -1', 'cpu.cfs_burst_us 0'],
      ['cpu.max max 5000', 'cpu.max.burst 0'],
    ],
    ['idle', { cpu: { idle: 1, shares: 2 } }, ['cpu.shares 2', 'cpu.idle 1'], ['cpu.weight 1', 'cpu.idle 1']],
    ['cpuset', { cpu: { cpus: '0-1', mems: '' } }, ['cpuset.cpus 0-1'], ['cpuset.cpus 0-1']],
    ['pids', { pids: { limit: 7 } }, ['pids.max 7'], ['pids.max 7']],
    ['no pids', { pids: { limit: 0 } }, ['pids.max 1'], ['pids.max 1']],
    ['unlimited pids', { pids: { limit: -1 } }, ['pids.max max'], ['pids.max max']],
    [
      'block I/O',
      { blockIO },
      [
        'blkio.weight 500',
        'blkio.weight_device 8:16 1000',
        'blkio.throttle.read_bps_device 8:16 4096',
        'blkio.throttle.write_bps_device 8:16 0',
        'blkio.throttle.read_iops_device 8:16 10',
        'blkio.throttle.write_iops_device 8:16 20',
      ],
      [
        'io.weight 4950',
        'io.weight 8:16 10000',
        'io.max 8:16 rbps=4096',
        'io.max 8:16 wbps=max',
        'io.max 8:16 riops=10',
        'io.max 8:16 wiops=20',
      ],
    ],
    [
      'huge pages',
      { hugepageLimits: [{ pageSize: '2MB', limit: 4194304 }] },
      ['hugetlb.2MB.limit_in_bytes 4194304', 'hugetlb.2MB.rsvd.limit_in_bytes 4194304 (optional)'],
      ['hugetlb.2MB.max 4194304', 'hugetlb.2MB.rsvd.max 4194304 (optional)'],
    ],
    [
      'RDMA',
      { rdma: { mlx5_1: { hcaHandles: 3 }, ocrdma0: { hcaObjects: 0 } } },
      ['rdma.max mlx5_1 hca_handle=3 hca_object=max', 'rdma.max ocrdma0 hca_handle=max hca_object=0'],
      ['rdma.max mlx5_1 hca_handle=3 hca_object=max', 'rdma.max ocrdma0 hca_handle=max hca_object=0'],
    ],
  ])('%s', (_, resources, v1, v2) => {
    expect(write(resources, 1)).toEqual(v1)
    expect(write(resources, 2)).toEqual(v2)
  })
})

test('with BFQ, weights are written to its files', () => {
  const { weight, weightDevice } = blockIO
  expect(write({ blockIO: { weight, weightDevice } }, 1, true)).toEqual([
    'blkio.bfq.weight 500',
    'blkio.bfq.weight_device 8:16 1000',
  ])
  expect(write({ blockIO: { weight, weightDevice } }, 2, true)).toEqual([
    'io.bfq.weight 500',
    'io.bfq.weight 8:16 1000',
  ])
})

test('fields that only cgroup v1 has are written there', () => {
  const resources = {
    memory: { swappiness: 0, disableOOMKiller: true },
    cpu: { realtimePeriod: 1000, realtimeRuntime: 500 },
    network: { classID: 0x100001, priorities: [{ name: 'eth0', priority: 5 }] },
    blockIO: { leafWeight: 100, weightDevice: [{ ...device, leafWeight: 200 }] },
  }
  expect(write(resources, 1)).toEqual([
    'memory.oom_control 1',
    'memory.swappiness 0',
    'cpu.rt_period_us 1000',
    'cpu.rt_runtime_us 500',
    'blkio.leaf_weight 100',
    'blkio.leaf_weight_device 8:16 200',
    'net_cls.classid 1048577',
    'net_prio.ifpriomap eth0 5',
  ])
  for (const [kind, limits] of Object.entries(resources)) {
    for (const [field, value] of Object.entries(limits)) {
      const attempt = () => write({ [kind]: { [field]: value } }, 2)
      expect(attempt).toThrow(
        expect.objectContaining({ code: 'ERR_CONFIG_UNSUPPORTED', message: expect.stringMatching(/cgroup v2 has no/) }),
      )
    }
  }
})

test('unified is written last, a line at a time', () => {
  const unified = { 'memory.high': '10M', 'io.max': '8:0 rbps=1\n8:16 wbps=2\n' }
  expect(write({ pids: { limit: 3 }, unified }, 2)).toEqual([
    'pids.max 3',
    'memory.high 10M',
    'io.max 8:0 rbps=1',
    'io.max 8:16 wbps=2',
  ])
})

test.each<[Resources, version: 1 | 2, message: string, pointer: string]>([
  [{ unified: { 'memory.max': '1' } }, 1, 'invalid configuration: cannot use unified on cgroup v1', 'unified'],
  [{ unified: { '../memory.max': '1' } }, 2, 'must be a file name', 'unified/..~1memory.max'],
  [{ unified: { '..': '1' } }, 2, 'must be a file name', 'unified/..'],
  [{ memory: { swap: 10 } }, 2, 'unable to set swap limit without memory limit', 'memory/swap'],
  [{ memory: { limit: 10, swap: 9 } }, 2, 'memory+swap limit should be >= memory limit', 'memory/swap'],
  [{ memory: { swappiness: 101 } }, 1, 'invalid memory swappiness value: 101', 'memory/swappiness'],
  [{ cpu: { shares: 1 } }, 1, 'minimum allowed cpu-shares is 2', 'cpu/shares'],
  [{ cpu: { shares: 262145 } }, 1, 'maximum allowed cpu-shares is 262144', 'cpu/shares'],
])('%j on v%i is refused: %s', (resources, version, message, field) => {
  expect(() => write(resources, version)).toThrow(
    expect.objectContaining({ message: expect.stringContaining(message), pointer: `/linux/resources/${field}` }),
  )
})

test.each([
  [0, 1],
  [2, 1],
  [100, 17],
  [512, 59],
  [1024, 100],
  [2048, 174],
  [262_144, 10_000],
  [300_000, 10_000],
])('%i shares are a weight of %i', (shares, weight) => expect(sharesToWeight(shares)).toBe(weight))

test.each([
  [10, '1'],
  [100, '910'],
  [500, '4950'],
  [1000, '10000'],
])('a block I/O weight of %i is %s', (weight, expected) => expect(weightToIO(weight)).toBe(expected))
