import { readFileSync } from 'node:fs'
import { isSystemError } from '../errors.ts'

/**
 * The name of a process, unique until the machine restarts: process id and start time. Names of unfinished files
 * contain it, so that files left by a killed process can be told from files in use.
 */
export function ownerOf(pid: number = process.pid): string {
  return `${pid}-${startTime(pid) ?? 0}`
}

/** True when the process that `owner` names still runs; false for any other text. */
export function isOwnerAlive(owner: string): boolean {
  const [, pid, start] = /^(\d{1,10})-(\d+)$/.exec(owner) ?? []
  return pid !== undefined && startTime(Number(pid)) === start
}

/**
 * The start time of a process, in clock ticks since boot: field 22 of /proc/PID/stat (man 5 proc). The name in field 2
 * may hold anything.
 */
function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ESRCH')) return undefined
    throw error
  }
}
