import type { Limit } from '../../compile/cgroup/limit.ts'
import { limitsOf } from '../../compile/cgroup/limits.ts'
import { limitProperties, limitsForUnit } from '../../compile/cgroup/systemd.ts'
import { limitPropertiesV1 } from '../../compile/cgroup/systemd-v1.ts'
import { OciError } from '../../errors.ts'
import { readHostFacts } from '../../host/facts.ts'
import type { IntelRdt, Resources } from '../../oci/runtime-config.ts'
import { applyLimits, cgroupVersion, limitHostOf } from '../../runtime/cgroup/apply-limits.ts'
import { type CgroupPaths, readControl } from '../../runtime/cgroup/cgroup.ts'
import { type RecordedLimits, readRecordedLimits, recordLimits } from '../../runtime/cgroup/recorded-limits.ts'
import { changeSchemata } from '../../runtime/cgroup/resctrl.ts'
import { notRunning } from '../../runtime/not-running.ts'
import { type ContainerUnit, hasProcesses, readContainer, readStatus } from '../../runtime/state-file.ts'
import { absoluteRoot } from '../../state-root.ts'
import type { ContainerOptions } from './state.ts'

export { parseResources } from '../../oci/resources.ts'
export type { Resources } from '../../oci/runtime-config.ts'

export interface UpdateOptions extends ContainerOptions {
  /** The new limits. An absent one stays as it is. Device rules are never changed: given ones are left alone. */
  readonly resources: Resources
  /** The caches and memory bandwidth of the container's class of service; the other fields are ignored. */
  readonly intelRdt?: Pick<IntelRdt, 'l3CacheSchema' | 'memBwSchema'> | undefined
  readonly warn?: ((message: string) => void) | undefined
}

/**
 * Changes limits of a container: all that are given, or none when the kernel refuses one.
 *
 * The container's state is changed with them, so that limits which depend on each other (swap on memory) stay right.
 * @throws OciError `ERR_CONTAINER_STATUS` it is stopped or being created, or uses more than a limit it is asked to check;
 *   `ERR_CONFIG_INVALID`, `ERR_CONFIG_UNSUPPORTED`, `ERR_SYSCALL`, `ERR_PERMISSION`
 */
export async function update({ root, id, resources, intelRdt, warn = () => {} }: UpdateOptions): Promise<void> {
  const container = readContainer(absoluteRoot(root), id)
  const { cgroupPaths, directory, unit } = container
  if (!hasProcesses(await readStatus(container))) throw notRunning(id)
  const { devices = [], ...limits } = withUnlimitedSwap(resources)
  if (devices.length > 0) warn('devices: rules are never changed: ignored')
  if (limits.memory?.kernel || limits.memory?.kernelTCP) warn('limits of kernel memory are obsolete: ignored')
  const recorded = readRecordedLimits(directory)
  const merged = merge(recorded, limits)
  const facts = readHostFacts()
  const version = cgroupVersion(cgroupPaths)
  const host = { ...limitHostOf(cgroupPaths), hasBfq: facts.hasBfq }
  const hasSchema = intelRdt?.l3CacheSchema || intelRdt?.memBwSchema
  const takeBack = hasSchema ? changeSchemata(container, intelRdt, facts.resctrl) : undefined
  try {
    checkMemoryUsage(merged, cgroupPaths)
    const all = limitsOf(merged, host)
    const asked = all.filter(({ from }) => from.some((pointer) => isGiven(limits, pointer)))
    const changed = unit === undefined ? asked : limitsForUnit(asked, warn, all)
    await applyLimits(changed, cgroupPaths, {
      warn,
      alongside: unit && (() => tellSystemd(unit, version, version === 1 ? all : changed)),
    })
  } catch (error) {
    takeBack?.()
    throw error instanceof OciError ? withoutPointer(error) : error
  }
  recordLimits(recorded.document, limits, intelRdt)
}

/** Else it would put its own values back at its next reload. */
async function tellSystemd({ kind, name }: ContainerUnit, host: 1 | 2, limits: readonly Limit[]): Promise<void> {
  const { readManager, setUnitProperties, withSystemd } = await import('../../runtime/systemd.ts')
  await withSystemd(kind, async (connection) => {
    const { version } = await readManager(connection)
    const properties = host === 1 ? limitPropertiesV1(limits, version) : limitProperties(limits, version)
    await setUnitProperties(connection, name, properties)
  })
}

/** The new limits, with the recorded ones that they depend on. */
function merge(recorded: RecordedLimits, changes: Resources): Resources {
  return {
    ...changes,
    memory: { ...recorded.memory, ...defined(changes.memory) },
    cpu: { ...recorded.cpu, ...defined(changes.cpu) },
    // Setting the weight makes the kernel forget those of devices.
    ...(changes.blockIO?.weight && { blockIO: { weightDevice: recorded.weightDevice, ...changes.blockIO } }),
  }
}

/** The field is one of the document or of a flag, not of config.json. */
function withoutPointer({ code, message, pointer = '', hint, cause }: OciError): OciError {
  const field = pointer.replace(/^\/linux\/resources\//, '').replaceAll('/', '.')
  return new OciError(code, field === '' ? message : `${field}: ${message}`, { hint, cause })
}

/** Unlimited memory alone means unlimited swap too. */
function withUnlimitedSwap(resources: Resources): Resources {
  const { limit, swap } = resources.memory ?? {}
  if (limit === undefined || BigInt(limit) !== -1n || swap !== undefined) return resources
  return { ...resources, memory: { ...resources.memory, swap: -1 } }
}

/** @see runtime-spec v1.3.0 config-linux.md "Memory", checkBeforeUpdate */
function checkMemoryUsage({ memory = {} }: Resources, paths: CgroupPaths): void {
  const { limit = 0, swap = 0, checkBeforeUpdate } = memory
  const directory = paths.memory ?? paths['']
  if (!checkBeforeUpdate || directory === undefined) return
  const text = readControl(directory, paths.memory === undefined ? 'memory.current' : 'memory.usage_in_bytes')
  if (text === undefined) return
  const usage = BigInt(text)
  const check = (what: string, value: number | bigint, field: string): void => {
    if (value <= 0 || BigInt(value) > usage) return
    throw new OciError('ERR_CONTAINER_STATUS', `rejecting ${what} limit ${value} <= usage ${usage}`, {
      pointer: `/linux/resources/memory/${field}`,
    })
  }
  check('memory+swap', swap, 'swap')
  check('memory', limit, 'limit')
}

/** True when a limit on memory or CPU is among the changes; the other kinds are never recorded. */
function isGiven(changes: Resources, pointer: string): boolean {
  const [, kind, field] = /^\/linux\/resources\/(\w+)\/(\w+)/.exec(pointer) ?? []
  if (kind !== 'memory' && kind !== 'cpu') return true
  return Object.entries(changes[kind] ?? {}).some(([name, value]) => name === field && value !== undefined)
}

/** Without members that are undefined, which would hide what is recorded. */
function defined<T extends object>(value: T | undefined): Partial<T> {
  const members = Object.entries(value ?? {}).filter(([, member]) => member !== undefined)
  return Object.fromEntries(members) as Partial<T>
}
