import { readdirSync, readFileSync } from 'node:fs'
import { isSystemError } from '../errors.ts'

/** One process as /proc/PID/stat shows it. */
export interface ProcessStat {
  readonly pid: number
  readonly parent: number
  /** The state letter: R, S, D, T, Z (zombie), X (dead) ... */
  readonly state: string
  /** Clock ticks from boot to the start of the process. With the pid it identifies a process, since pids are reused. */
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
  const [state, parent, startTime] = [fields[0], fields[1], fields[19]]
  if (state === undefined || parent === undefined || startTime === undefined)
    throw new Error(`/proc/${pid}/stat is cut short: "${text}"`)
  return { pid, parent: Number(parent), state, startTime: Number(startTime) }
}

/** True while this very process, not another one with the same pid, exists and is not just waiting to be reaped. */
export function isAlive({ pid, startTime }: { readonly pid: number; readonly startTime: number }): boolean {
  const stat = readProcessStat(pid)
  return stat !== undefined && stat.startTime === startTime && !isOver(stat)
}

/**
 * True when the kernel drops a signal for a process: the process ignores the signal, or is the first one of a PID
 * namespace and has no handler, so that from outside only SIGKILL and SIGSTOP have their default effect. False for a
 * process that has ended.
 * @see man 7 pid_namespaces "The namespace init process"
 */
export function dropsSignal(pid: number, signal: number, isFirst: boolean): boolean {
  const text = readStatus(pid)
  const isIn = (set: string): boolean => {
    const bits = new RegExp(`^${set}:\\t([0-9a-f]+)$`, 'm').exec(text)?.[1] ?? '0'
    return ((BigInt(`0x${bits}`) >> BigInt(signal - 1)) & 1n) === 1n
  }
  if (text === '' || isIn('SigBlk')) return false
  return isIn('SigIgn') || (isFirst && !isIn('SigCgt'))
}

/** The content of `/proc/PID/status`; empty when there is no such process. */
function readStatus(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'latin1')
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ESRCH')) return ''
    throw error
  }
}

/** The process that a thread belongs to, which may be the process itself; undefined when the thread has ended. */
export function readThreadGroup(thread: number): number | undefined {
  try {
    const id = /^Tgid:\t(\d+)$/m.exec(readFileSync(`/proc/${thread}/status`, 'latin1'))?.[1]
    return id === undefined ? undefined : Number(id)
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ESRCH')) return undefined
    throw error
  }
}

/**
 * True while the process that had this pid at a time, in clock ticks from boot, is alive; another one has started
 * later.
 */
export function isAliveSince({ pid, ticks }: { readonly pid: number; readonly ticks: number }): boolean {
  const stat = readProcessStat(pid)
  return stat !== undefined && stat.startTime <= ticks && !isOver(stat)
}

const isOver = ({ state }: ProcessStat): boolean => state === 'Z' || state === 'X'

interface Patience {
  readonly withinMs: number
  /** Ends the wait with its reason. */
  readonly signal?: AbortSignal | undefined
}

/** Waits for the end of a process. @returns false when the process has not ended within the time */
export function hasEnded(process: Parameters<typeof isAlive>[0], patience: Patience): Promise<boolean> {
  return waitWhile(() => isAlive(process), patience)
}

/** Waits while `goesOn` returns true. @returns false when it still does after the time */
export async function waitWhile(goesOn: () => boolean, { withinMs, signal }: Patience): Promise<boolean> {
  const { setTimeout: sleep } = await import('node:timers/promises') // loaded here: a `run` does not need it
  const deadline = Date.now() + withinMs
  for (let delayMs = 1; goesOn(); delayMs = Math.min(delayMs * 2, 50)) {
    const leftMs = deadline - Date.now()
    if (leftMs <= 0) return false
    await sleep(Math.min(delayMs, leftMs))
    signal?.throwIfAborted()
  }
  return true
}

/** The processes whose parent this one is. */
export function childrenOf(pid: number): readonly number[] {
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return all.map(Number).filter((child) => readProcessStat(child)?.parent === pid)
}
