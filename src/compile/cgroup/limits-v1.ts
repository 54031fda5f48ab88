import { OciError } from '../../errors.ts'
import type { CPU, Memory, NetworkResources, Resources } from '../../oci/runtime-config.ts'
import { collect, type Limit, nonZero, pointerOf, unlessMinusOne } from './limit.ts'

// The files of cgroup v1. @see kernel cgroup-v1/*.rst

/** Refuses `unified`. @throws OciError `ERR_CONFIG_INVALID` it has entries */
export function refuseUnified(unified: NonNullable<Resources['unified']>): void {
  if (Object.keys(unified).length === 0) return
  throw new OciError('ERR_CONFIG_INVALID', 'invalid configuration: cannot use unified on cgroup v1', {
    pointer: pointerOf('unified'),
    hint: 'use the fields for memory, cpu ...',
  })
}

export function memoryLimitsV1(memory: Memory): readonly Limit[] {
  const { limits, add } = collect()
  // Unlimited memory without a swap limit means unlimited swap, as on v2.
  const isUnlimited = memory.limit !== undefined && BigInt(memory.limit) === -1n && nonZero(memory.swap) === undefined
  if (memory.useHierarchy) {
    // It comes first, while the cgroup has no children. Since Linux 5.11 every cgroup is hierarchical, as on v2.
    const from = [pointerOf('memory/useHierarchy')] as const
    limits.push({ controller: 'memory', file: 'memory.use_hierarchy', value: '1', from, optional: true })
  }
  add('memory', 'memory.limit_in_bytes', nonZero(memory.limit), 'memory/limit')
  add('memory', 'memory.memsw.limit_in_bytes', nonZero(memory.swap), 'memory/swap')
  if (isUnlimited) {
    const from = [pointerOf('memory/limit')] as const
    limits.unshift({ controller: 'memory', file: 'memory.memsw.limit_in_bytes', value: '-1', from, optional: true })
  }
  add('memory', 'memory.soft_limit_in_bytes', nonZero(memory.reservation), 'memory/reservation')
  add('memory', 'memory.oom_control', memory.disableOOMKiller ? 1 : undefined, 'memory/disableOOMKiller')
  add('memory', 'memory.swappiness', swappiness(memory.swappiness), 'memory/swappiness')
  return limits
}

function swappiness(given: number | bigint | undefined): number | bigint | undefined {
  const value = unlessMinusOne(given)
  if (value === undefined || value <= 100) return value
  throw new OciError('ERR_CONFIG_INVALID', `invalid memory swappiness value: ${value}`, {
    pointer: pointerOf('memory/swappiness'),
    hint: 'use 0 to 100',
  })
}

export function cpuLimitsV1(cpu: CPU): readonly Limit[] {
  const { limits, add } = collect()
  add('cpu', 'cpu.rt_period_us', nonZero(cpu.realtimePeriod), 'cpu/realtimePeriod')
  add('cpu', 'cpu.rt_runtime_us', nonZero(cpu.realtimeRuntime), 'cpu/realtimeRuntime')
  add('cpu', 'cpu.shares', sharesInRange(cpu.shares), 'cpu/shares')
  add('cpu', 'cpu.cfs_period_us', nonZero(cpu.period), 'cpu/period')
  add('cpu', 'cpu.cfs_quota_us', nonZero(cpu.quota), 'cpu/quota')
  add('cpu', 'cpu.cfs_burst_us', cpu.burst, 'cpu/burst')
  add('cpu', 'cpu.idle', cpu.idle, 'cpu/idle')
  return limits
}

/** Refuses shares that the kernel would clamp without an error. */
function sharesInRange(shares: number | bigint | undefined): number | bigint | undefined {
  const value = nonZero(shares)
  if (value === undefined || (value >= 2 && value <= 262_144)) return value
  const bound = value < 2 ? 'minimum allowed cpu-shares is 2' : 'maximum allowed cpu-shares is 262144'
  throw new OciError('ERR_CONFIG_INVALID', `the ${bound}`, { pointer: pointerOf('cpu/shares') })
}

export function networkLimits({ classID, priorities = [] }: NetworkResources): readonly Limit[] {
  const { limits, add } = collect()
  add('net_cls', 'net_cls.classid', nonZero(classID), 'network/classID')
  priorities.forEach(({ name, priority }, index) => {
    add('net_prio', 'net_prio.ifpriomap', `${name} ${priority}`, `network/priorities/${index}`)
  })
  return limits
}
