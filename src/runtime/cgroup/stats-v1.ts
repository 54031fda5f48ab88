import type { Integer } from '../../oci/json.ts'
import { type CgroupPaths, readControl } from './cgroup.ts'
import { hugePageStats } from './huge-page-stats.ts'
import { omitEmpty, parseList, readInteger, readPairs, readRows, toInteger } from './stat-files.ts'
import type { BlockIOEntry, CgroupStats, MemoryUsage } from './stats.ts'

/** Nanoseconds per tick of cpuacct.stat: 1/100 s on every architecture here. @see man 3 sysconf "_SC_CLK_TCK" */
const nanosecondsPerTick = 10_000_000

/** Reads the usage of a cgroup on cgroup v1. @param paths the cgroup's directories by controller */
export function cgroupStatsV1(paths: CgroupPaths): CgroupStats {
  return {
    cpu: cpuStats(paths),
    cpuset: cpusetStats(paths.cpuset),
    memory: memoryStats(paths.memory),
    pids: omitEmpty({
      current: readInteger(paths.pids, 'pids.current'),
      limit: unlessMax(paths.pids === undefined ? undefined : readControl(paths.pids, 'pids.max')),
    }),
    blkio: blockIOStats(paths.blkio),
    hugetlb: hugePageStats(paths.hugetlb, { usage: 'usage_in_bytes', max: 'max_usage_in_bytes', failures: 'failcnt' }),
    intel_rdt: {},
    network_interfaces: null,
  }
}

const unlessMax = (text: string | undefined): Integer => (text === 'max' ? 0 : toInteger(text))

function cpuStats({ cpu, cpuacct }: CgroupPaths): CgroupStats['cpu'] {
  const bandwidth = readPairs(cpu, 'cpu.stat')
  const ticks = readPairs(cpuacct, 'cpuacct.stat')
  const all = readRows(cpuacct, 'cpuacct.usage_all').slice(1)
  return {
    usage: {
      ...omitEmpty({
        total: readInteger(cpuacct, 'cpuacct.usage'),
        percpu: readRows(cpuacct, 'cpuacct.usage_percpu').flat().map(toInteger),
        percpu_kernel: all.map(([, , system]) => toInteger(system)),
        percpu_user: all.map(([, user]) => toInteger(user)),
      }),
      kernel: Number(ticks.system ?? 0) * nanosecondsPerTick,
      user: Number(ticks.user ?? 0) * nanosecondsPerTick,
    },
    throttling: omitEmpty({
      periods: bandwidth.nr_periods,
      throttledPeriods: bandwidth.nr_throttled,
      throttledTime: bandwidth.throttled_time,
    }),
  }
}

function cpusetStats(directory: string | undefined): CgroupStats['cpuset'] {
  const list = (file: string): readonly number[] =>
    parseList((directory === undefined ? undefined : readControl(directory, file)) ?? '')
  const value = (file: string): Integer => readInteger(directory, file) ?? 0
  return {
    ...omitEmpty({ cpus: list('cpuset.cpus') }),
    cpu_exclusive: value('cpuset.cpu_exclusive'),
    ...omitEmpty({ mems: list('cpuset.mems') }),
    mem_hardwall: value('cpuset.mem_hardwall'),
    mem_exclusive: value('cpuset.mem_exclusive'),
    memory_migrate: value('cpuset.memory_migrate'),
    memory_spread_page: value('cpuset.memory_spread_page'),
    memory_spread_slab: value('cpuset.memory_spread_slab'),
    memory_pressure: value('cpuset.memory_pressure'),
    sched_load_balance: value('cpuset.sched_load_balance'),
    sched_relax_domain_level: value('cpuset.sched_relax_domain_level'),
  }
}

function memoryStats(directory: string | undefined): CgroupStats['memory'] {
  const raw = readPairs(directory, 'memory.stat')
  const usage = (prefix: string): MemoryUsage => ({
    limit: readInteger(directory, `${prefix}.limit_in_bytes`) ?? 0,
    ...omitEmpty({
      usage: readInteger(directory, `${prefix}.usage_in_bytes`),
      max: readInteger(directory, `${prefix}.max_usage_in_bytes`),
    }),
    failcnt: readInteger(directory, `${prefix}.failcnt`) ?? 0,
  })
  return {
    ...omitEmpty({ cache: raw.cache }),
    usage: usage('memory'),
    swap: usage('memory.memsw'),
    kernel: usage('memory.kmem'),
    kernelTCP: usage('memory.kmem.tcp'),
    ...(Object.keys(raw).length > 0 && { raw }),
  }
}

/**
 * Prefixes of the files with the numbers, which depend on the I/O scheduler: the first with any lines is the one in
 * use.
 */
const blockIOSources = ['blkio.bfq', 'blkio', 'blkio.throttle'] as const

const blockIOFiles = {
  ioServiceBytesRecursive: 'io_service_bytes_recursive',
  ioServicedRecursive: 'io_serviced_recursive',
  ioQueueRecursive: 'io_queued_recursive',
  ioServiceTimeRecursive: 'io_service_time_recursive',
  ioWaitTimeRecursive: 'io_wait_time_recursive',
  ioMergedRecursive: 'io_merged_recursive',
  ioTimeRecursive: 'time_recursive',
  sectorsRecursive: 'sectors_recursive',
} as const

function blockIOStats(directory: string | undefined): CgroupStats['blkio'] {
  const entries = (prefix: string, file: string): readonly BlockIOEntry[] =>
    readRows(directory, `${prefix}.${file}`).flatMap(blockIOEntry)
  const source = blockIOSources.find((prefix) => entries(prefix, 'io_serviced_recursive').length > 0)
  if (source === undefined) return {}
  return omitEmpty(
    Object.fromEntries(Object.entries(blockIOFiles).map(([member, file]) => [member, entries(source, file)])),
  )
}

/** Parses a row, `8:0 Read 4096` or without an operation `8:0 4096`; the last row is a total and yields nothing. */
function blockIOEntry(row: readonly string[]): readonly BlockIOEntry[] {
  const [, major, minor] = /^(\d+):(\d+)$/.exec(row[0] ?? '') ?? []
  if (major === undefined || minor === undefined) return []
  const op = row.length > 2 ? row[1] : undefined
  return [omitEmpty({ major: Number(major), minor: Number(minor), op, value: toInteger(row.at(-1)) })]
}
