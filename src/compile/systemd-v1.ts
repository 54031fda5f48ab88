import type { DeviceRule } from './device-filter.ts'
import type { Limit } from './limit.ts'
import { quotaPerSecond, type UnitProperty, unlimited } from './unit-property.ts'

/** Files whose value is a property's. */
const sameValue: Readonly<Record<string, string>> = {
  'memory.limit_in_bytes': 'MemoryLimit',
  'cpu.shares': 'CPUShares',
  'blkio.weight': 'BlockIOWeight',
  'pids.max': 'TasksMax',
}

/**
 * The limits of cgroup v1 that systemd knows too: it would put back its own values at its next reload.
 *
 * @param limits the last one of a file holds; a quota needs the period that goes with it, unless that is 100 ms
 * @see man 5 systemd.resource-control of systemd 252 "Deprecated options"
 */
export function limitPropertiesV1(limits: readonly Limit[], version: number): readonly UnitProperty[] {
  const files = new Map(limits.map(({ file, value }) => [file, value] as const))
  const same = Object.entries(sameValue).flatMap(([file, name]): readonly UnitProperty[] => {
    const value = files.get(file)
    return value === undefined ? [] : [[name, 't', value === 'max' || value === '-1' ? unlimited : value]]
  })
  const quota = files.get('cpu.cfs_quota_us')
  const period = files.get('cpu.cfs_period_us')
  const perSecond = (text: string): string =>
    text === '-1' ? unlimited : String(quotaPerSecond(BigInt(text), BigInt(period ?? defaultPeriod)))
  return [
    ...same,
    ...(period !== undefined && version >= 242 ? [['CPUQuotaPeriodUSec', 't', period] as const] : []),
    ...(quota === undefined ? [] : [['CPUQuotaPerSecUSec', 't', perSecond(quota)] as const]),
  ]
}

export const defaultPeriod = 100_000

/** Names of device drivers by the type and major number of their devices, as in `c 136`. @see man 5 proc_devices */
export type DeviceNames = Readonly<Record<string, string>>

/**
 * Which devices a unit may use: as systemd sets it at a reload, so it must be what the rules of config.json come to.
 *
 * @param rules in their order; those that take back part of an earlier one have been refused before
 * @param warn hears of a rule for all devices of a driver that this kernel has not: nothing can be opened by it
 * @see man 5 systemd.resource-control "DeviceAllow="
 */
export function deviceProperties(
  rules: readonly DeviceRule[],
  names: DeviceNames,
  warn?: (message: string) => void,
): readonly UnitProperty[] {
  let allowed: (readonly [path: string, access: string])[] = []
  let allowsAll = false
  for (const { allow, type, major, minor, access } of rules) {
    if (type === 'a') {
      allowsAll = allow
      allowed = []
    } else if (allow) {
      const path = pathOf(type, major, minor, names)
      if (path !== undefined) allowed.push([path, access])
      else warn?.(`there is no driver for the device type ${type} and the major number ${major}: its rule is ignored`)
    }
  }
  if (allowsAll) allowed = []
  return [
    ['DevicePolicy', 's', allowsAll ? 'auto' : 'strict'],
    ['DeviceAllow', 'a(ss)', allowed],
  ]
}

/** One device by its numbers, or all of a driver by its name. */
function pathOf(
  type: 'b' | 'c',
  major: number | undefined,
  minor: number | undefined,
  names: DeviceNames,
): string | undefined {
  const kind = type === 'b' ? 'block' : 'char'
  if (major === undefined) return `${kind}-*`
  if (minor !== undefined) return `/dev/${kind}/${major}:${minor}`
  const name = names[`${type} ${major}`]
  return name && `${kind}-${name}`
}
