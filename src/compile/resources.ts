import { OciError } from '../errors.ts'
import { openFlags } from '../program/flags.ts'
import { op, type Step } from '../program/program.ts'
import { cgroupFile } from './cgroup-paths.ts'
import type { CompileContext } from './context.ts'
import { compileDeviceRules } from './device-rules.ts'

/** A value for a control file: on v1 in the hierarchy of `controller`, on v2 in the unified one. */
interface Setting {
  readonly controller: string
  readonly file: string
  readonly value: string
  readonly from: string
}

/**
 * The limits of `linux.resources`, in an order that the kernel accepts.
 *
 * @throws OciError `ERR_CONFIG_UNSUPPORTED` a limit whose controller is not there
 * @see runtime-spec 1.3.0 config-linux.md "Control groups"
 */
export function compileResources(context: CompileContext): readonly Step[] {
  const isV2 = context.facts.cgroups.mode === 'v2'
  const settings = isV2 ? settingsV2(context) : settingsV1(context)
  return [...settings.map((setting) => writeSetting(setting, context)), ...compileDeviceRules(context)]
}

function writeSetting({ controller, file, value, from }: Setting, context: CompileContext): Step {
  const place = context.cgroups.find(({ hierarchy }) =>
    context.facts.cgroups.mode === 'v2' ? hierarchy.isUnified : hierarchy.controllers.includes(controller),
  )
  if (!place) {
    throw new OciError('ERR_CONFIG_UNSUPPORTED', `there is no cgroup controller "${controller}" on this host`, {
      pointer: from,
      hint: 'mount the controller, or remove the limit',
    })
  }
  return op(
    'write_file',
    { at: null, path: cgroupFile(place, file), content: value, flags: openFlags.WRONLY, mode: 0 },
    from,
  )
}

const limit = (value: number | bigint): string => (BigInt(value) < 0n ? 'max' : String(value))

function settingsV1({ config }: CompileContext): readonly Setting[] {
  const { memory, cpu, pids } = config.linux?.resources ?? {}
  const settings: Setting[] = []
  const add = (controller: string, file: string, value: unknown, field: string): void => {
    if (value !== undefined)
      settings.push({ controller, file, value: String(value), from: `/linux/resources/${field}` })
  }
  const cpuset = (value: string | undefined): string | undefined => (value === '' ? undefined : value)
  add('memory', 'memory.limit_in_bytes', nonZero(memory?.limit), 'memory/limit')
  add('memory', 'memory.memsw.limit_in_bytes', nonZero(memory?.swap), 'memory/swap')
  add('memory', 'memory.soft_limit_in_bytes', nonZero(memory?.reservation), 'memory/reservation')
  add('memory', 'memory.swappiness', memory?.swappiness, 'memory/swappiness')
  add('memory', 'memory.oom_control', memory?.disableOOMKiller ? 1 : undefined, 'memory/disableOOMKiller')
  add('cpu', 'cpu.shares', nonZero(cpu?.shares), 'cpu/shares')
  add('cpu', 'cpu.cfs_period_us', nonZero(cpu?.period), 'cpu/period')
  add('cpu', 'cpu.cfs_quota_us', nonZero(cpu?.quota), 'cpu/quota')
  add('cpu', 'cpu.cfs_burst_us', cpu?.burst, 'cpu/burst')
  add('cpu', 'cpu.rt_period_us', nonZero(cpu?.realtimePeriod), 'cpu/realtimePeriod')
  add('cpu', 'cpu.rt_runtime_us', nonZero(cpu?.realtimeRuntime), 'cpu/realtimeRuntime')
  add('cpu', 'cpu.idle', cpu?.idle, 'cpu/idle')
  add('cpuset', 'cpuset.cpus', cpuset(cpu?.cpus), 'cpu/cpus')
  add('cpuset', 'cpuset.mems', cpuset(cpu?.mems), 'cpu/mems')
  add('pids', 'pids.max', pids === undefined ? undefined : pidsMax(pids.limit), 'pids/limit')
  return settings
}

function settingsV2({ config }: CompileContext): readonly Setting[] {
  const { memory, cpu, pids } = config.linux?.resources ?? {}
  const settings: Setting[] = []
  const add = (controller: string, file: string, value: string | undefined, field: string): void => {
    if (value !== undefined) settings.push({ controller, file, value, from: `/linux/resources/${field}` })
  }
  add('memory', 'memory.max', memory?.limit ? limit(memory.limit) : undefined, 'memory/limit')
  add('memory', 'memory.swap.max', swapV2(memory?.limit, memory?.swap), 'memory/swap')
  add('memory', 'memory.low', memory?.reservation ? limit(memory.reservation) : undefined, 'memory/reservation')
  add('cpu', 'cpu.idle', cpu?.idle === undefined ? undefined : String(cpu.idle), 'cpu/idle')
  add('cpu', 'cpu.weight', cpu?.shares ? String(sharesToWeight(Number(cpu.shares))) : undefined, 'cpu/shares')
  add('cpu', 'cpu.max', cpuMax(cpu?.quota, cpu?.period), 'cpu/quota')
  add('cpu', 'cpu.max.burst', cpu?.burst === undefined ? undefined : String(cpu.burst), 'cpu/burst')
  add('cpuset', 'cpuset.cpus', cpu?.cpus || undefined, 'cpu/cpus')
  add('cpuset', 'cpuset.mems', cpu?.mems || undefined, 'cpu/mems')
  add('pids', 'pids.max', pids === undefined ? undefined : pidsMax(pids.limit), 'pids/limit')
  return settings
}

/** In these fields runc's Go zero means "not set". */
function nonZero(value: number | bigint | undefined): number | bigint | undefined {
  return value === undefined || BigInt(value) === 0n ? undefined : value
}

function pidsMax(value: number | bigint | undefined): string {
  return limit(value === undefined || BigInt(value) === 0n ? 1 : value)
}

/** On v2 the swap limit does not include memory. */
function swapV2(memory: number | bigint | undefined, swap: number | bigint | undefined): string | undefined {
  if (!swap) return memory !== undefined && BigInt(memory) < 0n ? 'max' : undefined
  if (BigInt(swap) < 0n) return 'max'
  const pointer = '/linux/resources/memory/swap'
  if (!memory || BigInt(memory) < 0n) {
    throw new OciError('ERR_CONFIG_INVALID', 'a swap limit needs a memory limit', { pointer, hint: 'set memory/limit' })
  }
  if (BigInt(swap) < BigInt(memory)) {
    throw new OciError('ERR_CONFIG_INVALID', 'the limit of memory and swap is below the memory limit', { pointer })
  }
  return String(BigInt(swap) - BigInt(memory))
}

function cpuMax(quota: number | bigint | undefined, period: number | bigint | undefined): string | undefined {
  if (!quota && !period) return undefined
  return `${quota && BigInt(quota) > 0n ? quota : 'max'} ${period || 100_000}`
}

/**
 * CPU shares (2 to 262144) as a cgroup v2 weight (1 to 10000): 2 is 1, 1024 is 100, 262144 is 10000, and a curve that is
 * a parabola in the logarithms between.
 *
 * @see opencontainers/cgroups ConvertCPUSharesToCgroupV2Value
 */
export function sharesToWeight(shares: number): number {
  if (shares <= 2) return 1
  if (shares >= 262_144) return 10_000
  const l = Math.log2(shares)
  return Math.ceil(10 ** ((l * l + 125 * l) / 612 - 7 / 34))
}
