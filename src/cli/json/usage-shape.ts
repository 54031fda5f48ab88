import type {
  BlockIOEntry,
  CgroupStats,
  HugePageUsage,
  MemoryUsage,
  Pressure,
  PressureAverages,
} from '../../verbs/container/events.ts'
import { any, array, map, number, object, optional, type Shape, text } from './shape.ts'

const averages = (says: string): Shape =>
  object<PressureAverages>(says, {
    avg10: number('share of the last 10 seconds, in percent'),
    avg60: number('share of the last minute, in percent'),
    avg300: number('share of the last 5 minutes, in percent'),
    total: number('in microseconds'),
  })

const pressure = optional(
  object<Pressure>('how long processes have waited for it, on cgroup v2', {
    some: averages('some of them have waited'),
    full: averages('all of them have waited'),
  }),
)

const memory = (says: string): Shape =>
  object<MemoryUsage>(says, {
    limit: number('bytes; 2^64-1, or on cgroup v1 2^63 less a page, is no limit'),
    usage: optional(number('bytes')),
    max: optional(number('the most that it has been, in bytes')),
    failcnt: number('how often the limit was reached'),
  })

const blockIO = (says: string): Shape =>
  optional(
    array(
      says,
      object<BlockIOEntry>('an amount', {
        major: optional(number('of the device')),
        minor: optional(number('of the device')),
        op: optional(text('Read, Write, Sync, Async, Discard or Total')),
        value: optional(number('the amount')),
      }),
    ),
  )

/** The use of resources, as `events` reports it. */
export const usageShape: Shape = object<CgroupStats>(
  'what the container uses, in the members that runc has; one without a value is left out',
  {
    cpu: object<CgroupStats['cpu']>('time of CPUs', {
      usage: object<CgroupStats['cpu']['usage']>('time that was spent', {
        total: optional(number('in nanoseconds')),
        percpu: optional(array('for each CPU, on cgroup v1', number('in nanoseconds'))),
        percpu_kernel: optional(array('for each CPU in the kernel, on cgroup v1', number('in nanoseconds'))),
        percpu_user: optional(array('for each CPU outside of it, on cgroup v1', number('in nanoseconds'))),
        kernel: number('in the kernel, in nanoseconds'),
        user: number('outside of the kernel, in nanoseconds'),
      }),
      throttling: object<CgroupStats['cpu']['throttling']>('how the quota has worked', {
        periods: optional(number('periods with processes that wanted a CPU')),
        throttledPeriods: optional(number('periods in which they had to wait')),
        throttledTime: optional(number('how long, in nanoseconds')),
      }),
      psi: pressure,
    }),
    cpuset: map('settings of the cpuset controller, by the names that runc has', any('a number, or a list of them')),
    memory: object<CgroupStats['memory']>('memory', {
      cache: optional(number('cached files, in bytes')),
      usage: memory('memory'),
      swap: memory('memory and swap together'),
      kernel: memory('memory of the kernel, on cgroup v1'),
      kernelTCP: memory('buffers of TCP, on cgroup v1'),
      raw: optional(map('the file memory.stat', number('as the kernel has it, mostly bytes'))),
      psi: pressure,
    }),
    pids: object<CgroupStats['pids']>('processes and threads', {
      current: optional(number('how many there are')),
      limit: optional(number('how many there may be')),
    }),
    blkio: object<CgroupStats['blkio']>('block devices', {
      ioServiceBytesRecursive: blockIO('bytes'),
      ioServicedRecursive: blockIO('operations'),
      ioQueueRecursive: blockIO('operations that wait'),
      ioServiceTimeRecursive: blockIO('time at the device, in nanoseconds'),
      ioWaitTimeRecursive: blockIO('time before, in nanoseconds'),
      ioMergedRecursive: blockIO('operations that were merged'),
      ioTimeRecursive: blockIO('time of the device, in milliseconds'),
      sectorsRecursive: blockIO('sectors'),
      psi: pressure,
    }),
    hugetlb: map(
      'huge pages, by their size',
      object<HugePageUsage>('of one size', {
        usage: optional(number('bytes')),
        max: optional(number('the most that it has been, in bytes')),
        failcnt: number('how often the limit was reached'),
      }),
    ),
    intel_rdt: any('Intel RDT, as runc has it; empty without'),
    network_interfaces: any('always null, as runc has it'),
  },
)
