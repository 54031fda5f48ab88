import { existsSync, readFileSync, statSync } from 'node:fs'
import { expect, onTestFinished } from 'vitest'
import type { Resources } from '../../../src/oci/runtime-config.ts'
import { readContainer } from '../../../src/runtime/state-file.ts'
import { turnOffAllBut, unifiedControllers } from '../../cgroup-directories.ts'
import { requires } from '../../requirements.ts'
import { openPlace } from './inside.ts'

// Those of cgroup v2 are seen in a virtual machine: test/vm.
const { test } = requires('root', 'busybox', 'cgroup1')
const at = openPlace()

const megabytes = 2 ** 20
const withLimits = (resources: Resources) => ({ linux: { resources } })
/** The content of the container's own cgroup files, as it sees them. */
const limits = (resources: Resources, ...files: readonly string[]): readonly string[] =>
  at()
    .see(`cd /sys/fs/cgroup; cat ${files.join(' ')}`, withLimits(resources))
    .trimEnd()
    .split('\n')

test('/linux/resources/memory/{limit,reservation,swap,swappiness,disableOOMKiller}', () => {
  const memory = { limit: 32 * megabytes, reservation: 16 * megabytes, swap: 48 * megabytes, swappiness: 9 }
  const files = ['limit_in_bytes', 'soft_limit_in_bytes', 'memsw.limit_in_bytes', 'swappiness', 'oom_control']
  const shown = limits(
    { memory: { ...memory, disableOOMKiller: true } },
    ...files.map((file) => `memory/memory.${file}`),
  )
  expect(shown.slice(0, 5)).toEqual([33554432, 16777216, 50331648, 9, 'oom_kill_disable 1'].map(String))
})

test('/linux/resources/memory/limit: a process beyond it is killed, and too little to start with is an error', () => {
  const { place, refusal } = at()
  const eat = 'head -c 100m /dev/zero | tail -n 1 >/dev/null; echo $?'
  expect(place.run(eat, withLimits({ memory: { limit: 16 * megabytes, swap: 16 * megabytes } })).stdout).toBe('137\n')
  expect(refusal(withLimits({ memory: { limit: 1024 } }))).toMatch(/memory/)
})

test('/linux/resources/memory/{kernel,kernelTCP,useHierarchy,checkBeforeUpdate}: nothing that kernels still have', () => {
  const rest = { kernel: megabytes, kernelTCP: megabytes, useHierarchy: true, checkBeforeUpdate: true }
  const limited = withLimits({ memory: { limit: 32 * megabytes, ...rest } })
  const { end, stdout, stderr } = at().place.run('cat /sys/fs/cgroup/memory/memory.limit_in_bytes', limited)
  expect({ end, stdout, stderr }).toEqual({ end: 0, stdout: '33554432\n', stderr: expect.stringContaining('obsolete') })
})

test('/linux/resources/cpu/{shares,quota,period,burst,cpus,mems}', () => {
  const cpu = { shares: 300, quota: 40_000, period: 80_000, burst: 1000, cpus: '0', mems: '0' }
  const files = ['shares', 'cfs_quota_us', 'cfs_period_us', 'cfs_burst_us'].map((file) => `cpu/cpu.${file}`)
  expect(limits({ cpu }, ...files, 'cpuset/cpuset.cpus', 'cpuset/cpuset.mems')).toEqual(
    [300, 40_000, 80_000, 1000, 0, 0].map(String),
  )
})

test('/linux/resources/cpu/{realtimeRuntime,realtimePeriod}', () => {
  const cpu = { realtimeRuntime: 5000, realtimePeriod: 500_000 }
  expect(limits({ cpu }, 'cpu/cpu.rt_runtime_us', 'cpu/cpu.rt_period_us')).toEqual(['5000', '500000'])
})

test('/linux/resources/cpu/idle', () => {
  expect(limits({ cpu: { idle: 1 } }, 'cpu/cpu.idle')).toEqual(['1'])
})

test('/linux/resources/pids/limit: no more can be forked', () => {
  const { place, see } = at()
  expect(see('cat /sys/fs/cgroup/pids/pids.max', withLimits({ pids: { limit: 77 } }))).toBe('77\n')
  expect(see('cat /sys/fs/cgroup/pids/pids.max', withLimits({ pids: { limit: -1 } }))).toBe('max\n')
  expect(place.run('sleep 1 & sleep 1 & echo ran', withLimits({ pids: { limit: 1 } })).stderr).toContain("can't fork")
})

test('/linux/resources/devices/{allow,type,major,minor,access}: what is not allowed cannot be opened', () => {
  const rules = [
    { allow: false, access: 'rwm' },
    { allow: true, type: 'c', major: 10, minor: 229, access: 'r' },
  ] as const
  const node = (path: string, minor: number) => ({ path, type: 'c', major: 10, minor }) as const
  const devices = [node('/dev/fuse', 229), node('/dev/loop-control', 237)]
  const script = '{ true </dev/fuse; true >/dev/fuse; true </dev/loop-control; } 2>&1 | grep -c "not permitted"'
  expect(at().see(script, { linux: { devices, resources: { devices: rules } } })).toBe('2\n')
})

test('/linux/resources/blockIO/{throttleReadBpsDevice,throttleWriteBpsDevice,throttleReadIOPSDevice,throttleWriteIOPSDevice}', () => {
  const { dev } = statSync('/')
  const [major, minor] = [(dev >> 8) & 0xfff, dev & 0xff]
  const device = (rate: number) => [{ major, minor, rate }]
  const blockIO = {
    throttleReadBpsDevice: device(100_000),
    throttleWriteBpsDevice: device(200_000),
    throttleReadIOPSDevice: device(300),
    throttleWriteIOPSDevice: device(400),
  }
  const files = ['read_bps', 'write_bps', 'read_iops', 'write_iops'].map(
    (file) => `blkio/blkio.throttle.${file}_device`,
  )
  expect(limits({ blockIO }, ...files)).toEqual([100_000, 200_000, 300, 400].map((rate) => `${major}:${minor} ${rate}`))
})

test('/linux/resources/{network,rdma,unified} and /linux/resources/blockIO/{weight,leafWeight,weightDevice}: refused where there is no such controller', () => {
  const each: readonly (readonly [controller: string, Resources])[] = [
    ['blkio/blkio.leaf_weight', { blockIO: { leafWeight: 100 } }],
    ['net_cls', { network: { classID: 5 } }],
    ['net_prio', { network: { priorities: [{ name: 'lo', priority: 1 }] } }],
    ['rdma', { rdma: { mlx5: { hcaHandles: 3 } } }],
    ['cgroup.controllers', { unified: { 'memory.high': '1000000' } }],
  ]
  for (const [, resources] of each.filter(([path]) => !existsSync(`/sys/fs/cgroup/${path}`))) {
    const [name = ''] = Object.keys(resources)
    expect(at().refusal(withLimits(resources))).toContain(`/linux/resources/${name}`)
  }
})

test('/linux/resources/hugepageLimits: set where the host has the controller, or refused', () => {
  const { place, refusal } = at()
  const limited = withLimits({ hugepageLimits: [{ pageSize: '2MB', limit: 4 * megabytes }] })
  const unified = '/sys/fs/cgroup/unified/cgroup.controllers'
  const isUnified = existsSync(unified) && readFileSync(unified, 'utf8').includes('hugetlb')
  if (!isUnified && !existsSync('/sys/fs/cgroup/hugetlb')) {
    expect(refusal(limited)).toContain('/linux/resources/hugepageLimits')
    return
  }
  const before = unifiedControllers()
  onTestFinished(() => turnOffAllBut(before))
  place.configure('exec sleep 1000', limited)
  expect(place.tool(['create', '-b', place.bundle, place.id])).toMatchObject({ end: 0, stderr: '' })
  const { hugetlb, '': own } = readContainer(place.root, place.id).cgroupPaths
  const [directory, file] = isUnified ? [own, 'hugetlb.2MB.max'] : [hugetlb, 'hugetlb.2MB.limit_in_bytes']
  const limit = () => readFileSync(`${directory}/${file}`, 'utf8')
  expect(limit()).toBe('4194304\n')
  const more = JSON.stringify({ hugepageLimits: [{ pageSize: '2MB', limit: 6 * megabytes }] })
  expect(place.tool(['update', '-r', '-', place.id], { input: more })).toMatchObject({ end: 0, stderr: '' })
  expect(limit()).toBe('6291456\n')
  const stats = JSON.parse(place.tool(['events', '--stats', place.id]).stdout)
  expect(Object.keys(stats.data.hugetlb)).toContain('2MB')
  place.tool(['delete', '-f', place.id])
})
