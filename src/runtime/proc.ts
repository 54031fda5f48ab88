import { readFileSync } from 'node:fs'
import { isSystemError } from '../errors.ts'

/** One process as /proc/PID/stat shows it. */
export interface ProcessStat {
  readonly pid: number
  /** The state letter: R, S, D, T, Z (zombie), X (dead) ... */
  readonly state: string
  /** Clock ticks from boot to the start of the process. With the pid it names a process for good: pids are reused. */
  readonly startTime: number
}

/**
 * The process `pid`, or undefined when there is none.
 * @see man 5 proc "/proc/[pid]/stat": the command, field 2, is in parentheses and may itself contain any character
 */
export function readProcessStat(pid: number): ProcessStat | undefined {
  if (!(pid > 0)) return undefined
  let text: string
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ESRCH')) return undefined
    throw error
  }
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const [state, startTime] = [fields[0], fields[19]]
  if (state === undefined || startTime === undefined) throw new Error(`/proc/${pid}/stat is cut short: "${text}"`)
  return { pid, state, startTime: Number(startTime) }
}

/** Whether this very process, not another one of the same pid, is there and is not just waiting to be reaped. */
export function isAlive({ pid, startTime }: { readonly pid: number; readonly startTime: number }): boolean {
  const stat = readProcessStat(pid)
  return stat !== undefined && stat.startTime === startTime && !hasEnded(stat)
}

/** The process that a thread, which may be a process itself, belongs to; undefined when it has ended. */
export function readThreadGroup(thread: number): number | undefined {
  try {
    const id = /^Tgid:\t(\d+)$/m.exec(readFileSync(`/proc/${thread}/status`, 'latin1'))?.[1]
    return id === undefined ? undefined : Number(id)
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ESRCH')) return undefined
    throw error
  }
}

/** The same of the process that had this pid at a time, in clock ticks from boot: another one has started later. */
export function isAliveSince({ pid, ticks }: { readonly pid: number; readonly ticks: number }): boolean {
  const stat = readProcessStat(pid)
  return stat !== undefined && stat.startTime <= ticks && !hasEnded(stat)
}

const hasEnded = ({ state }: ProcessStat): boolean => state === 'Z' || state === 'X'
