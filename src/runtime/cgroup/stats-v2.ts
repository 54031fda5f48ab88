import { isSystemError } from '../../errors.ts'
import type { Integer } from '../../oci/json.ts'
import { hugePageStats } from './huge-page-stats.ts'
import { omitEmpty, readInteger, readPairs, readRows, toInteger } from './stat-files.ts'
import type { BlockIOEntry, CgroupStats, MemoryUsage, Pressure, PressureAverages } from './stats.ts'

const noLimit = 2n ** 64n - 1n

/** Reads the usage of a cgroup on cgroup v2. @param directory the cgroup's directory in the unified hierarchy */
export function cgroupStatsV2(directory: string): CgroupStats {
  const limit = readInteger(directory, 'pids.max')
  return {
    cpu: cpuStats(directory),
    cpuset: cpusetOfV1,
    memory: memoryStats(directory),
    pids: omitEmpty({ current: readInteger(directory, 'pids.current'), limit: limit === noLimit ? 0 : limit }),
    blkio: { ...blockIOStats(directory), ...pressure(directory, 'io') },
    hugetlb: hugePageStats(directory, { usage: 'current', max: 'peak', failures: 'events' }),
    intel_rdt: {},
    network_interfaces: null,
  }
}

/** Members for which v2 has no values. */
const cpusetOfV1 = {
  cpu_exclusive: 0,
  mem_hardwall: 0,
  mem_exclusive: 0,
  memory_migrate: 0,
  memory_spread_page: 0,
  memory_spread_slab: 0,
  memory_pressure: 0,
  sched_load_balance: 0,
  sched_relax_domain_level: 0,
} as const

function cpuStats(directory: string): CgroupStats['cpu'] {
  const stat = readPairs(directory, 'cpu.stat')
  const nanoseconds = (name: string): number => Number(stat[name] ?? 0) * 1000
  return {
    usage: {
      ...omitEmpty({ total: nanoseconds('usage_usec') }),
      kernel: nanoseconds('system_usec'),
      user: nanoseconds('user_usec'),
    },
    throttling: omitEmpty({
      periods: stat.nr_periods,
      throttledPeriods: stat.nr_throttled,
      throttledTime: nanoseconds('throttled_usec'),
    }),
    ...pressure(directory, 'cpu'),
  }
}

function memoryStats(directory: string): CgroupStats['memory'] {
  const raw = readPairs(directory, 'memory.stat')
  const usage = readInteger(directory, 'memory.current') ?? 0
  const limit = readInteger(directory, 'memory.max') ?? 0
  const swapUsage = readInteger(directory, 'memory.swap.current') ?? 0
  const swapLimit = readInteger(directory, 'memory.swap.max') ?? 0
  const none: MemoryUsage = { limit: 0, failcnt: 0 }
  return {
    ...omitEmpty({ cache: raw.file }),
    usage: { limit, ...omitEmpty({ usage, max: readInteger(directory, 'memory.peak') }), failcnt: 0 },
    swap: {
      limit: swapLimit === noLimit || limit === noLimit ? noLimit : sum(limit, swapLimit),
      ...omitEmpty({ usage: sum(usage, swapUsage) }),
      failcnt: 0,
    },
    kernel: none,
    kernelTCP: none,
    ...(Object.keys(raw).length > 0 && { raw }),
    ...pressure(directory, 'memory'),
  }
}

const sum = (a: Integer, b: Integer): Integer => toInteger(String(BigInt(a) + BigInt(b)))

/** The block I/O of rows such as `8:0 rbytes=1 wbytes=2 rios=3 ...`, in the terms of v1. */
function blockIOStats(directory: string): CgroupStats['blkio'] {
  const rows = readRows(directory, 'io.stat')
  const entries = (read: string, write: string): readonly BlockIOEntry[] =>
    rows.flatMap(([device = '', ...items]) => {
      const [, major, minor] = /^(\d+):(\d+)$/.exec(device) ?? []
      if (major === undefined || minor === undefined) return []
      const values = assignments(items)
      return [[read, 'Read'] as const, [write, 'Write'] as const].flatMap(([name, op]) =>
        values.has(name)
          ? [omitEmpty({ major: Number(major), minor: Number(minor), op, value: toInteger(values.get(name)) })]
          : [],
      )
    })
  return omitEmpty({
    ioServiceBytesRecursive: entries('rbytes', 'wbytes'),
    ioServicedRecursive: entries('rios', 'wios'),
  })
}

/** The pressure on a resource; empty where the kernel was built or booted without pressure stall information. */
function pressure(directory: string, resource: string): { readonly psi?: Pressure } {
  try {
    const rows = readRows(directory, `${resource}.pressure`)
    return rows.length === 0 ? {} : { psi: { some: averages(rows, 'some'), full: averages(rows, 'full') } }
  } catch (error) {
    if (isSystemError(error, 'EOPNOTSUPP', 'ENOTSUP')) return {}
    throw error
  }
}

function averages(rows: readonly (readonly string[])[], kind: string): PressureAverages {
  const [, ...items] = rows.find(([name]) => name === kind) ?? []
  const values = assignments(items)
  const average = (name: string): number => Number(values.get(name) ?? 0)
  return {
    avg10: average('avg10'),
    avg60: average('avg60'),
    avg300: average('avg300'),
    total: toInteger(values.get('total')),
  }
}

/** The values of assignments such as `avg10=0.00` or `rbytes=4096`, by name. */
function assignments(items: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    items.map((item) => {
      const [name = '', value = ''] = item.split('=')
      return [name, value]
    }),
  )
}
