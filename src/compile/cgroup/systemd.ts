import { OciError } from '../../errors.ts'
import type { RuntimeConfig } from '../../oci/runtime-config.ts'
import { op, type Step, type Text } from '../../program/program.ts'
import { maskOf, parseNumberList } from '../number-list.ts'
import { hostOf, type Limit } from './limit.ts'
import { limitsOf } from './limits.ts'
import { type DeviceNames, defaultPeriod, limitPropertiesV1 } from './systemd-v1.ts'
import { annotatedProperties } from './unit-annotations.ts'
import { microsecondsPerSecond, quotaPerSecond, type UnitProperty, unlimited } from './unit-property.ts'

/** The systemd that makes the container's cgroup, with --systemd-cgroup. */
export interface SystemdManager {
  /** `user`: the caller's own manager, if the caller is not root on the host. */
  readonly kind: 'system' | 'user'
  /** The major version, such as 252. */
  readonly version: number
  /** The cgroup with its slices, below the mount point: `/`, or `/user.slice/user-1000.slice/user@1000.service`. */
  readonly cgroup: string
  /** The command that talks to D-Bus at run time; it gets the name of an action as last argument and JSON on stdin. */
  readonly command: readonly string[]
  /** Set when the controllers are on cgroup v1: further facts for the properties of a unit. */
  readonly v1?: { readonly deviceNames: DeviceNames } | undefined
}

/** The unit of a container, and its cgroup below that of the manager, beginning with a slash. */
export interface Unit {
  readonly slice: string
  /** The name of a scope, or of a slice if config.json names one. */
  readonly name: Text
  readonly isSlice: boolean
  readonly path: Text
  /** The cgroups above it, from the top. */
  readonly parents: readonly string[]
}

const from = '/linux/cgroupsPath'
const timeoutMs = 60_000

/**
 * The unit that `linux.cgroupsPath` names: `slice:prefix:name` is `prefix-name.scope` in the slice.
 *
 * The default slice is `system.slice`, or `user.slice` of the user's manager; `-` is the root slice. The default unit is
 * `runc-ID.scope`, as engines expect.
 * @throws OciError `ERR_CONFIG_INVALID` the field has another form, or its slice is not the name of one
 * @see runc docs/systemd.md "Systemd unit name and placement"
 */
export function unitOf(config: RuntimeConfig, { kind, cgroup }: SystemdManager): Unit {
  const wanted = config.linux?.cgroupsPath || undefined
  const [parent = '', prefix = 'runc', name, ...more] = wanted?.split(':') ?? []
  if (wanted !== undefined && (name === undefined || name === '' || more.length > 0)) {
    throw new OciError('ERR_CONFIG_INVALID', `"${wanted}" is not of the form "slice:prefix:name"`, {
      pointer: from,
      hint: 'with the systemd driver use "system.slice:container:NAME", or remove the field',
    })
  }
  const slice = sliceName(parent, kind)
  const isSlice = name?.endsWith('.slice') ?? false
  const unit: Exclude<Text, string> = isSlice
    ? [name ?? '']
    : [prefix === '' ? '' : `${prefix}-`, name ?? { register: 'id' }, '.scope']
  const parents = [...directories(cgroup), ...slicePath(slice)]
  return {
    slice,
    name: unit,
    isSlice,
    path: [['', ...parents, ''].join('/'), ...unit],
    parents: parents.map((_, index) => `/${parents.slice(0, index + 1).join('/')}`),
  }
}

const directories = (path: string): readonly string[] => path.split('/').filter((part) => part !== '')

function sliceName(parent: string, kind: SystemdManager['kind']): string {
  if (parent === '') return kind === 'user' ? 'user.slice' : 'system.slice'
  const name = parent === '-' ? '-.slice' : parent
  const isSlice = name.endsWith('.slice') && !name.includes('/')
  const components = name.slice(0, -'.slice'.length).split('-')
  if (isSlice && (name === '-.slice' || !components.includes(''))) return name
  throw new OciError('ERR_CONFIG_INVALID', `"${parent}" is not the name of a slice`, {
    pointer: from,
    hint: 'name it as in "machine.slice" or "a-b.slice"',
  })
}

/** The directories of a slice: `a-b.slice` is in `a.slice`; `-.slice` is the root. @see man 5 systemd.slice */
function slicePath(slice: string): readonly string[] {
  if (slice === '-.slice') return []
  const components = slice.slice(0, -'.slice'.length).split('-')
  return components.map((_, index) => `${components.slice(0, index + 1).join('-')}.slice`)
}

/**
 * A host step, while the container's process waits, that has systemd start the unit with the process in it.
 *
 * @param devices properties for the devices that it may use, for a unit on cgroup v1
 */
export function compileStartUnit(
  config: RuntimeConfig,
  manager: SystemdManager,
  devices: readonly UnitProperty[],
): Step {
  const unit = unitOf(config, manager)
  const input: Text = [
    `{"kind":"${manager.kind}","unit":"`,
    ...unit.name,
    '","pid":',
    { register: 'pid' },
    `,"properties":${JSON.stringify(unitProperties(config, unit, manager, devices))}}`,
  ]
  return action('start-unit', input, manager)
}

/** The undo of `compileStartUnit`: stops the unit. It succeeds if the unit is gone. */
export function compileStopUnit(config: RuntimeConfig, manager: SystemdManager): Step {
  const { name } = unitOf(config, manager)
  return action('stop-unit', [`{"kind":"${manager.kind}","unit":"`, ...name, '"}'], manager)
}

/** A unit to which systemd can attach another process. */
export interface AttachTarget extends Pick<SystemdManager, 'kind' | 'command'> {
  readonly name: string
  /** The absolute path of the unit's cgroup. */
  readonly cgroup: string
}

/** A host step that has systemd attach the process. @param directory the absolute cgroup: the unit's or one below it */
export function compileAttach(unit: AttachTarget, directory: string): Step {
  const below = directory.startsWith(`${unit.cgroup}/`) ? directory.slice(unit.cgroup.length) : ''
  const request = JSON.stringify({ kind: unit.kind, unit: unit.name, below }).slice(0, -1)
  return action('attach', [`${request},"pid":`, { register: 'pid' }, '}'], unit)
}

function action(name: string, input: Text, { command }: Pick<SystemdManager, 'command'>): Step {
  const [path = ''] = command
  return op('spawn', { path, argv: [...command, name], env: [], input, timeoutMs, inheritEnv: 2 }, from)
}

/** All properties of the unit; those that annotations set replace others. */
function unitProperties(
  config: RuntimeConfig,
  unit: Unit,
  { version, v1 }: SystemdManager,
  devices: readonly UnitProperty[],
): readonly UnitProperty[] {
  const { blockIO, ...resources } = config.linux?.resources ?? {}
  const annotated = annotatedProperties(config.annotations)
  const ours: readonly UnitProperty[] = [
    ['Description', 's', 'bundle-tool container'],
    ...(unit.isSlice ? sliceProperties(unit) : scopeProperties(unit, version)),
    ['MemoryAccounting', 'b', true],
    ['CPUAccounting', 'b', true],
    [v1 ? 'BlockIOAccounting' : 'IOAccounting', 'b', true],
    ['TasksAccounting', 'b', true],
    ['DefaultDependencies', 'b', false],
    ...(v1
      ? [
          ...devices,
          ...limitPropertiesV1(limitsOf({ ...resources, blockIO: { weight: blockIO?.weight } }, hostOf(1)), version),
        ]
      : limitProperties(limitsOf(resources, hostOf(2)), version)),
  ]
  return [...ours.filter(([name]) => !annotated.some(([other]) => other === name)), ...annotated]
}

const sliceProperties = ({ slice }: Unit): readonly UnitProperty[] => [['Wants', 'as', [slice]]]

/**
 * Properties of a scope. OOMPolicy: systemd must not stop the container when one of its processes is OOM-killed. There is no
 * CollectMode: a unit that has failed stays, with the reason, until the container is deleted.
 */
function scopeProperties({ slice }: Unit, version: number): readonly UnitProperty[] {
  return [
    ['Slice', 's', slice],
    ['Delegate', 'b', true],
    ...(version >= 253 ? [['OOMPolicy', 's', 'continue'] as const] : []),
  ]
}

/**
 * Unit properties for the limits of cgroup v2 that systemd has too: without them its next reload would reset the files.
 *
 * Devices are not among them: systemd leaves the runtime's filter on the cgroup alone, since it has no filter of its own.
 * @param limits the last one for a file holds
 * @throws OciError `ERR_CONFIG_INVALID` an invalid list of CPUs or memory nodes
 * @see man 5 systemd.resource-control
 */
export function limitProperties(limits: readonly Limit[], version: number): readonly UnitProperty[] {
  const files = new Map(limits.map((limit) => [limit.file, limit] as const))
  return [...files.values()].flatMap((limit) => fileProperties(limit, version))
}

/** The systemd property for each file whose value it takes as it is. */
const sameValue: Readonly<Record<string, string>> = {
  'memory.max': 'MemoryMax',
  'memory.high': 'MemoryHigh',
  'memory.low': 'MemoryLow',
  'memory.min': 'MemoryMin',
  'memory.swap.max': 'MemorySwapMax',
  'pids.max': 'TasksMax',
  'cpu.weight': 'CPUWeight',
}

/** The properties for one file of the cgroup; empty if systemd has none for it. */
function fileProperties({ file, value, from }: Limit, version: number): readonly UnitProperty[] {
  const same = sameValue[file]
  if (same !== undefined) return [[same, 't', value === 'max' ? unlimited : value]]
  switch (file) {
    case 'cpu.idle':
      // CPUWeight=idle is 0 on the bus.
      return value === '1' && version >= 252 ? [['CPUWeight', 't', '0']] : []
    case 'cpu.max':
      return quotaProperties(value, version)
    case 'cpuset.cpus':
      return version >= 244 ? [['AllowedCPUs', 'ay', bitmap(value, from[0], 'CPU')]] : []
    case 'cpuset.mems':
      return version >= 244 ? [['AllowedMemoryNodes', 'ay', bitmap(value, from[0], 'memory node')]] : []
    default:
      return []
  }
}

function quotaProperties(value: string, version: number): readonly UnitProperty[] {
  const [quota = 'max', period = '100000'] = value.split(' ')
  return [
    ...(version >= 242 ? [['CPUQuotaPeriodUSec', 't', period] as const] : []),
    ['CPUQuotaPerSecUSec', 't', quota === 'max' ? unlimited : String(quotaPerSecond(BigInt(quota), BigInt(period)))],
  ]
}

/**
 * Rounds the CPU quota to the value that systemd would write at its next reload.
 *
 * @param all all limits that hold; on cgroup v1 they include the period of the quota
 */
export function withSystemdQuota(limits: readonly Limit[], all: readonly Limit[] = limits): readonly Limit[] {
  const periodV1 = all.findLast(({ file }) => file === 'cpu.cfs_period_us')?.value ?? String(defaultPeriod)
  return limits.map((limit) => {
    if (limit.file === 'cpu.cfs_quota_us' && !limit.value.startsWith('-')) {
      return { ...limit, value: roundedQuota(limit.value, periodV1) }
    }
    const [, quota, period] = (limit.file === 'cpu.max' && /^(\d+) (\d+)$/.exec(limit.value)) || []
    if (quota === undefined || period === undefined) return limit
    return { ...limit, value: `${roundedQuota(quota, period)} ${period}` }
  })
}

function roundedQuota(quota: string, period: string): string {
  return String((quotaPerSecond(BigInt(quota), BigInt(period)) * BigInt(period)) / microsecondsPerSecond)
}

/**
 * Adapts changed limits of a unit's cgroup to systemd, for which idle is a weight: only one of `cpu.weight` and `cpu.idle`
 * can be set.
 *
 * @param warn receives a message if a weight is left out
 * @param all as in `withSystemdQuota`
 */
export function limitsForUnit(
  limits: readonly Limit[],
  warn: (message: string) => void,
  all: readonly Limit[] = limits,
): readonly Limit[] {
  const rounded = withSystemdQuota(limits, all)
  const weight = rounded.findLast(({ file }) => file === 'cpu.weight')
  const idle = rounded.findLast(({ file }) => file === 'cpu.idle')
  if (weight === undefined || idle?.value === '0') return rounded
  if (idle === undefined) return [...rounded, { ...weight, file: 'cpu.idle', value: '0', optional: true }]
  warn(`unable to apply both cpu.weight and cpu.idle: the weight ${weight.value} is ignored`)
  return rounded.filter(({ file }) => file !== 'cpu.weight')
}

/** Converts a list such as `0-2,5` to a bitmap of as many bytes as it needs, the least significant first. */
function bitmap(list: string, pointer: string, what: string): readonly number[] {
  const numbers = parseNumberList(list, pointer, what)
  return [...maskOf(numbers, Math.max(-1, ...numbers) + 1)]
}
