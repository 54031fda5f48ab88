import { OciError } from '../errors.ts'
import type { MemoryPolicy, Process, RuntimeConfig, Scheduler } from '../oci/runtime-config.ts'
import { op, type Step } from '../program/program.ts'
import type { CompileContext } from './context.ts'
import { maskOf, parseNumberList } from './number-list.ts'

/** sched(7); linux/sched.h */
const policies: Readonly<Record<string, number>> = {
  SCHED_OTHER: 0,
  SCHED_FIFO: 1,
  SCHED_RR: 2,
  SCHED_BATCH: 3,
  SCHED_ISO: 4,
  SCHED_IDLE: 5,
  SCHED_DEADLINE: 6,
}

const schedulerFlags: Readonly<Record<string, number>> = {
  SCHED_FLAG_RESET_ON_FORK: 0x01,
  SCHED_FLAG_RECLAIM: 0x02,
  SCHED_FLAG_DL_OVERRUN: 0x04,
  SCHED_FLAG_KEEP_POLICY: 0x08,
  SCHED_FLAG_KEEP_PARAMS: 0x10,
  SCHED_FLAG_UTIL_CLAMP_MIN: 0x20,
  SCHED_FLAG_UTIL_CLAMP_MAX: 0x40,
}

/** ioprio_set(2) */
const ioClasses = { IOPRIO_CLASS_RT: 1, IOPRIO_CLASS_BE: 2, IOPRIO_CLASS_IDLE: 3 } as const
const ioClassShift = 13

/** personality(2) */
const domains = { LINUX: 0x0000, LINUX32: 0x0008 } as const

/** set_mempolicy(2); linux/mempolicy.h */
export const memoryModes: Readonly<Record<string, number>> = {
  MPOL_DEFAULT: 0,
  MPOL_PREFERRED: 1,
  MPOL_BIND: 2,
  MPOL_INTERLEAVE: 3,
  MPOL_LOCAL: 4,
  MPOL_PREFERRED_MANY: 5,
  MPOL_WEIGHTED_INTERLEAVE: 6,
}

/** linux/mempolicy.h */
export const memoryFlags: Readonly<Record<string, number>> = {
  MPOL_F_NUMA_BALANCING: 0x2000,
  MPOL_F_RELATIVE_NODES: 0x4000,
  MPOL_F_STATIC_NODES: 0x8000,
}

const cpuMaskBytes = 1024
const maxNode = 1023

/** A mask of every CPU, which the kernel reduces to those that the cgroup's cpuset allows. */
export const allCpus: Uint8Array = new Uint8Array(cpuMaskBytes).fill(0xff)

/**
 * Steps that set CPU affinity and scheduler, I/O priority, memory policy and personality, before seccomp could forbid the
 * system calls. The affinity is always set, so that the container does not inherit that of the runtime's caller.
 *
 * @param cpus the CPUs on which the process may run, as a list; default all that the cgroup allows
 */
export function compileScheduling(
  process: Process,
  { config, warn }: Pick<CompileContext, 'config' | 'warn'>,
  cpus?: string,
): readonly Step[] {
  const { scheduler, ioPriority } = process
  const { memoryPolicy, personality } = config.linux ?? {}
  if (personality?.flags?.length) warn?.('/linux/personality/flags: ignored, since no flags are defined')
  return [
    cpus === undefined
      ? op('set_affinity', { cpus: allCpus }, '/linux/resources/cpu/cpus', 'EINVAL', 'EPERM')
      : compileAffinity(cpus, 'final'),
    ...(scheduler ? [compileScheduler(scheduler, config)] : []),
    ...(ioPriority
      ? [
          op(
            'set_io_priority',
            { value: (ioClasses[ioPriority.class] << ioClassShift) | ioPriority.priority },
            '/process/ioPriority',
          ),
        ]
      : []),
    ...(personality
      ? [op('set_personality', { persona: domains[personality.domain] }, '/linux/personality/domain')]
      : []),
    ...(memoryPolicy ? [compileMemoryPolicy(memoryPolicy)] : []),
  ]
}

/** The step that applies one of the two sets of `execCPUAffinity`. @see runtime-spec 1.3.0 config.md "Linux Process" */
export function compileAffinity(cpus: string, when: 'initial' | 'final'): Step {
  const from = `/process/execCPUAffinity/${when}`
  const numbers = parseNumberList(cpus, from, 'CPU')
  return op('set_affinity', { cpus: maskOf(numbers, Math.max(-1, ...numbers) + 1) }, from)
}

/** Converts a list of CPUs to a hexadecimal mask: `0-1` is `0x3`. */
export function affinityMask(cpus: string): string {
  const numbers = parseNumberList(cpus, '/process/execCPUAffinity/initial', 'CPU')
  return `0x${numbers.reduce((mask, number) => mask | (1n << BigInt(number)), 0n).toString(16)}`
}

/** Encodes the scheduler as struct sched_attr of sched_setattr(2), in its first version of 48 bytes. */
function compileScheduler(scheduler: Scheduler, config: RuntimeConfig): Step {
  const from = '/process/scheduler'
  const policy = lookUp(policies, scheduler.policy, `${from}/policy`, 'is not a scheduling policy')
  if (scheduler.policy === 'SCHED_DEADLINE' && config.linux?.resources?.cpu?.cpus) {
    throw new OciError('ERR_CONFIG_INVALID', "process scheduler can't be used together with AllowedCPUs", {
      pointer: from,
      hint: 'remove resources.cpu.cpus, or choose another policy',
    })
  }
  checkScheduler(scheduler, from)
  const view = new DataView(new ArrayBuffer(48))
  view.setUint32(0, view.byteLength, true)
  view.setUint32(4, policy, true)
  const flags = (scheduler.flags ?? []).map((flag) => lookUp(schedulerFlags, flag, `${from}/flags`, 'is not a flag'))
  view.setBigUint64(8, BigInt(flags.reduce((all, flag) => all | flag, 0)), true)
  view.setInt32(16, scheduler.nice ?? 0, true)
  view.setUint32(20, scheduler.priority ?? 0, true)
  view.setBigUint64(24, BigInt(scheduler.runtime ?? 0), true)
  view.setBigUint64(32, BigInt(scheduler.deadline ?? 0), true)
  view.setBigUint64(40, BigInt(scheduler.period ?? 0), true)
  return op('set_scheduler', { attributes: new Uint8Array(view.buffer) }, from)
}

/**
 * Refuses values that the kernel would ignore or reduce without an error.
 *
 * @see runc libcontainer/configs/validate scheduler
 */
function checkScheduler({ policy, nice = 0, priority = 0, runtime, deadline, period }: Scheduler, from: string): void {
  const invalid = (field: string, message: string): OciError =>
    new OciError('ERR_CONFIG_INVALID', message, { pointer: `${from}/${field}` })
  if (nice < -20 || nice > 19) throw invalid('nice', `invalid scheduler.nice: ${nice}: must be -20 to 19`)
  if (priority !== 0 && policy !== 'SCHED_FIFO' && policy !== 'SCHED_RR') {
    throw invalid('priority', 'scheduler.priority can only be specified for SCHED_FIFO or SCHED_RR policy')
  }
  if (policy === 'SCHED_DEADLINE') return
  const times = Object.entries({ runtime, deadline, period })
  const [field] = times.find(([, value]) => value !== undefined && BigInt(value) !== 0n) ?? []
  if (field === undefined) return
  throw invalid(field, `scheduler.${field} can only be specified for SCHED_DEADLINE policy`)
}

function compileMemoryPolicy({ mode, nodes, flags }: MemoryPolicy): Step {
  const from = '/linux/memoryPolicy'
  if (mode === undefined && !nodes && !flags?.length) {
    throw new OciError('ERR_CONFIG_INVALID', 'invalid memory policy: it is empty', { pointer: from })
  }
  const number = lookUp(memoryModes, mode ?? '', `${from}/mode`, 'invalid memory policy mode')
  const bits = (flags ?? []).map((flag) => lookUp(memoryFlags, flag, `${from}/flags`, 'invalid memory policy flag'))
  const set = parseNumberList(nodes ?? '', `${from}/nodes`, 'memory policy node', maxNode)
  if ((mode === 'MPOL_DEFAULT' || mode === 'MPOL_LOCAL') && set.length > 0) {
    throw new OciError('ERR_CONFIG_INVALID', `${mode} mode requires 0 nodes but got ${set.length}`, {
      pointer: `${from}/nodes`,
    })
  }
  return op(
    'set_memory_policy',
    {
      mode: bits.reduce((all, flag) => all | flag, number),
      nodes: set.length === 0 ? new Uint8Array() : maskOf(set, maxNode + 1),
    },
    from,
  )
}

function lookUp(table: Readonly<Record<string, number>>, name: string, pointer: string, problem: string): number {
  const value = table[name]
  if (value !== undefined) return value
  throw new OciError('ERR_CONFIG_INVALID', `${problem}: "${name}"`, {
    pointer,
    hint: `use one of ${Object.keys(table).join(', ')}`,
  })
}
