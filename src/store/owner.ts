import { readFileSync } from 'node:fs'
import { isSystemError } from '../errors.ts'

/**
 * Names this process for as long as the machine runs: process id and start time, which no other process shares.
 * It is part of the names of unfinished files, so that what a killed process left can be told from what is being made.
 */
export function ownerOf(pid: number = process.pid): string {
  return `${pid}-${startTime(pid) ?? 0}`
}

/** Whether the process that `owner` names still runs. Anything that is not an owner's name does not. */
export function isOwnerAlive(owner: string): boolean {
  const [, pid, start] = /^(\d{1,10})-(\d+)$/.exec(owner) ?? []
  return pid !== undefined && startTime(Number(pid)) === start
}

/** Field 22 of /proc/PID/stat, in clock ticks since boot (man 5 proc); the name in field 2 may hold anything. */
function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ESRCH')) return undefined
    throw error
  }
}
