import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readOomCount } from '../../../src/runtime/cgroup/oom-count.ts'
import { readCgroupStats } from '../../../src/runtime/cgroup/read-stats.ts'

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cgroup-stats-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

const write = (files: Readonly<Record<string, string>>): void => {
  for (const [file, content] of Object.entries(files)) writeFileSync(join(directory, file), `${content}\n`)
}

test('the files of cgroup v2 are given in the terms of v1', () => {
  write({
    'cpu.stat':
      'usage_usec 300\nuser_usec 200\nsystem_usec 100\nnr_periods 7\nnr_throttled 2\nthrottled_usec 5\nnr_bursts 0',
    'cpu.pressure': 'some avg10=1.50 avg60=0.25 avg300=0.00 total=1234\nfull avg10=0.00 avg60=0.00 avg300=0.10 total=9',
    'memory.stat': 'anon 100\nfile 200\ninactive_file 50',
    'memory.current': '5000',
    'memory.max': '9000',
    'memory.peak': '6000',
    'memory.swap.current': '70',
    'memory.swap.max': '1000',
    'memory.events': 'low 0\nhigh 0\nmax 5\noom 3\noom_kill 2',
    'pids.current': '4',
    'pids.max': 'max',
    'io.stat': '8:0 rbytes=10 wbytes=0 rios=1 wios=2 dbytes=0 dios=0\n8:16 rbytes=30',
    'hugetlb.2MB.current': '1',
    'hugetlb.2MB.rsvd.current': '4194304',
    'hugetlb.2MB.events': 'max 3',
    'hugetlb.1GB.current': '0',
  })
  expect(readCgroupStats({ '': directory })).toEqual({
    cpu: {
      usage: { total: 300_000, user: 200_000, kernel: 100_000 },
      throttling: { periods: 7, throttledPeriods: 2, throttledTime: 5000 },
      psi: {
        some: { avg10: 1.5, avg60: 0.25, avg300: 0, total: 1234 },
        full: { avg10: 0, avg60: 0, avg300: 0.1, total: 9 },
      },
    },
    cpuset: expect.objectContaining({ cpu_exclusive: 0, sched_relax_domain_level: 0 }),
    memory: {
      cache: 200,
      usage: { limit: 9000, usage: 5000, max: 6000, failcnt: 0 },
      swap: { limit: 10_000, usage: 5070, failcnt: 0 },
      kernel: { limit: 0, failcnt: 0 },
      kernelTCP: { limit: 0, failcnt: 0 },
      raw: { anon: 100, file: 200, inactive_file: 50 },
    },
    pids: { current: 4 },
    blkio: {
      ioServiceBytesRecursive: [
        { major: 8, op: 'Read', value: 10 },
        { major: 8, op: 'Write' },
        { major: 8, minor: 16, op: 'Read', value: 30 },
      ],
      ioServicedRecursive: [
        { major: 8, op: 'Read', value: 1 },
        { major: 8, op: 'Write', value: 2 },
      ],
    },
    hugetlb: { '1GB': { failcnt: 0 }, '2MB': { usage: 4_194_304, failcnt: 3 } },
    intel_rdt: {},
    network_interfaces: null,
  })
  expect(readOomCount({ '': directory })).toBe(2)
})

test('no limit on cgroup v2 is given as 2^64-1', () => {
  write({ 'memory.current': '1', 'memory.max': 'max', 'memory.swap.max': '5' })
  const { usage, swap } = readCgroupStats({ '': directory }).memory
  expect([usage.limit, swap.limit]).toEqual([2n ** 64n - 1n, 2n ** 64n - 1n])
})

test('a removed cgroup has used nothing, and was never out of memory', () => {
  for (const paths of [{ '': `${directory}/x` }, { memory: `${directory}/x`, cpu: `${directory}/x` }]) {
    expect(readCgroupStats(paths)).toMatchObject({
      cpu: { usage: { kernel: 0, user: 0 }, throttling: {} },
      memory: { usage: { limit: 0, failcnt: 0 } },
      pids: {},
      blkio: {},
    })
    expect(readOomCount(paths)).toBe(0)
  }
})

test('block I/O of cgroup v1 comes from the files that have lines', () => {
  write({
    'blkio.bfq.io_serviced_recursive': 'Total 0',
    'blkio.throttle.io_serviced_recursive': '8:0 Read 1\n8:0 Total 1\nTotal 1',
    'blkio.throttle.io_service_bytes_recursive': '8:0 Read 4096\n8:0 Total 4096\nTotal 4096',
  })
  expect(readCgroupStats({ blkio: directory }).blkio).toEqual({
    ioServiceBytesRecursive: [
      { major: 8, op: 'Read', value: 4096 },
      { major: 8, op: 'Total', value: 4096 },
    ],
    ioServicedRecursive: [
      { major: 8, op: 'Read', value: 1 },
      { major: 8, op: 'Total', value: 1 },
    ],
  })
})

test('on a hybrid host each number is read where its controller is', () => {
  write({ 'memory.current': '5000', 'memory.max': '9000', 'pids.current': '4', 'pids.max': '7' })
  const v1 = join(directory, 'pids')
  mkdirSync(v1)
  writeFileSync(join(v1, 'pids.current'), '3\n')
  const { memory, pids } = readCgroupStats({ pids: v1, '': directory })
  expect(memory.usage).toEqual({ limit: 9000, usage: 5000, failcnt: 0 })
  expect(pids.current).toBe(3)
})
