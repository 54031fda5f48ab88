import { OciError } from '../../errors.ts'
import type { CPU, Memory, NetworkResources } from '../../oci/runtime-config.ts'
import { toPointer } from '../../oci/schema.ts'
import { collect, type Limit, nonZero, orMax, pointerOf, unlessMinusOne, unsupportedHere } from './limit.ts'

type Integer = number | bigint

// The files of cgroup v2. @see kernel cgroup-v2.rst

/** Refuses network classes and priorities. @throws OciError `ERR_CONFIG_UNSUPPORTED` */
export function refuseNetwork({ classID, priorities }: NetworkResources): void {
  if (classID) throw unsupportedHere('network/classID', 2)
  if (priorities?.length) throw unsupportedHere('network/priorities', 2)
}

export function memoryLimitsV2({ limit, swap, reservation, swappiness, disableOOMKiller }: Memory): readonly Limit[] {
  if (unlessMinusOne(swappiness) !== undefined) throw unsupportedHere('memory/swappiness', 2)
  if (disableOOMKiller) throw unsupportedHere('memory/disableOOMKiller', 2)
  const { limits, add } = collect()
  const swapMax = swapWithoutMemory(limit, swap)
  if (swapMax !== undefined) {
    limits.push({
      controller: 'memory',
      file: 'memory.swap.max',
      value: swapMax,
      from: [pointerOf('memory/swap'), pointerOf('memory/limit')],
      // A kernel without swap accounting has no such file, and limits no swap, or has none.
      optional: swapMax === 'max' || swapMax === '0',
    })
  }
  add('memory', 'memory.max', limit === undefined ? undefined : positive(limit), 'memory/limit')
  add('memory', 'memory.low', reservation === undefined ? undefined : positive(reservation), 'memory/reservation')
  return limits
}

const positive = (value: Integer): string | undefined => (nonZero(value) === undefined ? undefined : orMax(value))

/**
 * The value of `memory.swap.max`, which unlike `memory.swap` does not include memory; undefined for "not set".
 * @see opencontainers/cgroups ConvertMemorySwapToCgroupV2Value
 */
function swapWithoutMemory(limit: Integer = 0, swap: Integer = 0): string | undefined {
  const [memory, total] = [BigInt(limit), BigInt(swap)]
  if (total === 0n) return memory < 0n ? 'max' : undefined
  if (total < 0n) return 'max'
  if (memory < 0n) return String(total)
  const pointer = pointerOf('memory/swap')
  if (memory === 0n) {
    throw new OciError('ERR_CONFIG_INVALID', 'unable to set swap limit without memory limit', {
      pointer,
      hint: 'set memory.limit',
    })
  }
  if (total < memory) {
    throw new OciError('ERR_CONFIG_INVALID', 'memory+swap limit should be >= memory limit', { pointer })
  }
  return String(total - memory)
}

export function cpuLimitsV2(cpu: CPU): readonly Limit[] {
  if (nonZero(cpu.realtimePeriod)) throw unsupportedHere('cpu/realtimePeriod', 2)
  if (nonZero(cpu.realtimeRuntime)) throw unsupportedHere('cpu/realtimeRuntime', 2)
  const { limits, add } = collect()
  const weight = nonZero(cpu.shares)
  // The weight comes first, since an idle cgroup refuses one.
  add('cpu', 'cpu.weight', weight && sharesToWeight(Number(weight)), 'cpu/shares')
  add('cpu', 'cpu.idle', cpu.idle, 'cpu/idle')
  const bandwidth = cpuMax(cpu.quota, cpu.period)
  if (bandwidth !== undefined) {
    const from = [pointerOf(nonZero(cpu.quota) ? 'cpu/quota' : 'cpu/period'), pointerOf('cpu/period')] as const
    limits.push({ controller: 'cpu', file: 'cpu.max', value: bandwidth, from })
  }
  add('cpu', 'cpu.max.burst', cpu.burst, 'cpu/burst')
  return limits
}

function cpuMax(quota: Integer | undefined, period: Integer | undefined): string | undefined {
  const [max, every] = [nonZero(quota), nonZero(period)]
  if (max === undefined && every === undefined) return undefined
  return `${max !== undefined && max > 0 ? max : 'max'} ${every ?? 100_000}`
}

/** Limits of the field `unified`. Each line of a value is written by itself: some files take one device or key at a time. */
export function unifiedLimits(unified: Readonly<Record<string, string>>): readonly Limit[] {
  return Object.entries(unified).flatMap(([file, value]) => {
    const pointer = pointerOf(toPointer(['unified', file]).slice(1))
    if (file.includes('/') || file === '..' || file === '.' || file === '') {
      throw new OciError('ERR_CONFIG_INVALID', `unified resource "${file}" must be a file name (no slashes)`, {
        pointer,
      })
    }
    const lines = value.split('\n').filter((line) => line !== '')
    const [controller = ''] = file.split('.')
    return (lines.length === 0 ? [''] : lines).map((line) => ({
      controller,
      file,
      value: line,
      from: [pointer] as const,
    }))
  })
}

/**
 * Converts CPU shares (2 to 262144) to a cgroup v2 weight (1 to 10000): 2 is 1, 1024 is 100, 262144 is 10000. Between them
 * the logarithm of the weight is quadratic in that of the shares.
 *
 * @see opencontainers/cgroups ConvertCPUSharesToCgroupV2Value
 */
export function sharesToWeight(shares: number): number {
  if (shares <= 2) return 1
  if (shares >= 262_144) return 10_000
  const l = Math.log2(shares)
  return Math.ceil(10 ** ((l * l + 125 * l) / 612 - 7 / 34))
}
