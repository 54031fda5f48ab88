import type { DeviceExceptions, Devices } from './device-rules-v1.ts'
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
 * Which devices a unit may use: as systemd sets it at a reload, so it must be what the rules of config.json come to, or
 * less. The files of the cgroup have the rules themselves.
 *
 * @param warn hears of a rule that systemd cannot be told
 * @see man 5 systemd.resource-control "DeviceAllow="; runc libcontainer/cgroups/devices/systemd.go
 */
export function deviceProperties(
  { allowsByDefault, exceptions }: DeviceExceptions,
  names: DeviceNames,
  warn?: (message: string) => void,
): readonly UnitProperty[] {
  const held = exceptions.filter(([, access]) => access !== '')
  const isStrict = !allowsByDefault || held.length > 0
  if (allowsByDefault && isStrict) {
    warn?.('systemd cannot allow all devices but some: if it is reloaded, the container may use none')
  }
  const allowed = allowsByDefault
    ? []
    : held.flatMap(([devices, access]) => {
        const path = pathOf(devices, names)
        if (path === undefined) warn?.(`systemd is not told of ${describe(devices)}`)
        return path === undefined ? [] : [[path, access] as const]
      })
  return [
    ['DevicePolicy', 's', isStrict ? 'strict' : 'auto'],
    ['DeviceAllow', 'a(ss)', allowed],
  ]
}

/** One device by its numbers, or all of a driver by its name; undefined for what it has no name for. */
function pathOf({ type, major, minor }: Devices, names: DeviceNames): string | undefined {
  const kind = type === 'b' ? 'block' : 'char'
  if (major === undefined) return minor === undefined ? `${kind}-*` : undefined
  if (minor !== undefined) return `/dev/${kind}/${major}:${minor}`
  const name = names[`${type} ${major}`]
  return name && `${kind}-${name}`
}

function describe({ type, major, minor }: Devices): string {
  return major === undefined
    ? `the devices of type ${type} with the minor number ${minor}: it cannot name them`
    : `the device type ${type} and the major number ${major}: there is no driver for it`
}
