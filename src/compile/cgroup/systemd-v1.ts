import type { DeviceExceptions, Devices } from './device-rules-v1.ts'
import type { Limit } from './limit.ts'
import { quotaPerSecond, type UnitProperty, unlimited } from './unit-property.ts'

/** The systemd property for each file whose value it takes as it is. */
const sameValue: Readonly<Record<string, string>> = {
  'memory.limit_in_bytes': 'MemoryLimit',
  'cpu.shares': 'CPUShares',
  'blkio.weight': 'BlockIOWeight',
  'pids.max': 'TasksMax',
}

/**
 * Unit properties for the limits of cgroup v1 that systemd has too: without them its next reload would reset the files.
 *
 * @param limits the last one for a file holds; a quota needs its period, unless that is 100 ms
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

/** The kernel's default of `cpu.cfs_period_us`, in microseconds. */
export const defaultPeriod = 100_000

/** Names of device drivers by the type and major number of their devices, as in `c 136`. @see man 5 proc_devices */
export type DeviceNames = Readonly<Record<string, string>>

/**
 * Unit properties for the devices that a unit may use. systemd applies them at a reload, so they must allow the same as the
 * rules of config.json, or less. The rules themselves are written to the cgroup's files.
 *
 * @param warn receives a message for each rule that a property cannot express
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
    warn?.('systemd cannot allow all devices except some: after a reload of systemd the container may use none')
  }
  const allowed = allowsByDefault
    ? []
    : held.flatMap(([devices, access]) => {
        const path = pathOf(devices, names)
        if (path === undefined) warn?.(`after a reload of systemd the container may not use ${describe(devices)}`)
        return path === undefined ? [] : [[path, access] as const]
      })
  return [
    ['DevicePolicy', 's', isStrict ? 'strict' : 'auto'],
    ['DeviceAllow', 'a(ss)', allowed],
  ]
}

/** The name for `DeviceAllow=` of one device or of all devices of a driver; undefined if there is none. */
function pathOf({ type, major, minor }: Devices, names: DeviceNames): string | undefined {
  const kind = type === 'b' ? 'block' : 'char'
  if (major === undefined) return minor === undefined ? `${kind}-*` : undefined
  if (minor !== undefined) return `/dev/${kind}/${major}:${minor}`
  const name = names[`${type} ${major}`]
  return name && `${kind}-${name}`
}

function describe({ type, major, minor }: Devices): string {
  return major === undefined
    ? `the devices of type ${type} with the minor number ${minor}: systemd has no name for them`
    : `the devices of type ${type} with the major number ${major}: they have no driver`
}
