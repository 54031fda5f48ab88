import { attributeOps } from './ops/attributes.ts'
import { cgroupOps } from './ops/cgroups.ts'
import { commandOps } from './ops/command.ts'
import { criuOps } from './ops/criu.ts'
import { fileOps } from './ops/files.ts'
import { mountOps } from './ops/mounts.ts'
import { networkOps } from './ops/network.ts'
import { processOps } from './ops/processes.ts'
import { terminalOps } from './ops/terminal.ts'

/**
 * The op table: the only declaration of what the runner can do, in a file for each kind of thing (`ops/`).
 *
 * `native/runner/ops.h` (the enum, the dispatch table, the operand kinds that the loader checks), `src/program/README.md`, the
 * encoder and `explain` are all derived from it. A number is never reused; a new op goes to the end of its group.
 */
export const ops: typeof fileOps &
  typeof cgroupOps &
  typeof processOps &
  typeof mountOps &
  typeof networkOps &
  typeof attributeOps &
  typeof terminalOps &
  typeof criuOps &
  typeof commandOps = {
  ...fileOps,
  ...cgroupOps,
  ...processOps,
  ...mountOps,
  ...networkOps,
  ...attributeOps,
  ...terminalOps,
  ...criuOps,
  ...commandOps,
}

export type OpName = keyof typeof ops

/**
 * Values that are known only when the program runs; a `text` operand may contain them. The index of each is its number.
 * `pid_file` and `console_socket` are the values of --pid-file and --console-socket, so that one kept program serves all
 * values. `boot_ticks` is the time since boot in clock ticks, as in /proc/PID/stat.
 */
export const registers = [
  'id',
  'pid',
  'start_time',
  'created',
  'own_pid',
  'pid_file',
  'console_socket',
  'boot_ticks',
] as const
export type RegisterName = (typeof registers)[number]

/** The errors that a step may tolerate, with their errno on Linux; each has a bit, in this order. */
export const tolerableErrors = {
  EPERM: 1,
  ENOENT: 2,
  ESRCH: 3,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  ENOTDIR: 20,
  EINVAL: 22,
  EROFS: 30,
  ENOSYS: 38,
  EOPNOTSUPP: 95,
  EDQUOT: 122,
  ECONNREFUSED: 111,
} as const
export type TolerableError = keyof typeof tolerableErrors

/**
 * Phases, by the process that runs their steps. `host`: the runner itself. `stage`: a first child, needed only if a
 * namespace must be joined before another is made inside it. `child`: the container's process; its last step is execve.
 * `undo`: the runner, after a host step has failed or to remove the container; each undo step names its host step.
 */
export const phases = ['host', 'stage', 'child', 'undo'] as const
export type Phase = (typeof phases)[number]
