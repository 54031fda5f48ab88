import { readdirSync } from 'node:fs'
import { isSystemError } from '../../errors.ts'
import { tryPrefix } from '../../program/contract.ts'
import { readProcessStat } from '../../runtime/proc.ts'
import { remove } from './delete.ts'

let serial = 0

/** The ID of a container that was given no name. It has the process that removes it: whoever finds no such process may. */
export function triedID(): string {
  const number = serial++
  return `${tryPrefix}${process.pid}${number === 0 ? '' : `-${number}`}`
}

/** Removes the containers whose process was killed before it could. */
export async function removeLeftovers(root: string): Promise<void> {
  for (const id of entriesOf(root)) {
    const pid = id.startsWith(tryPrefix) ? /^\d+(?=-|$)/.exec(id.slice(tryPrefix.length))?.[0] : undefined
    if (pid === undefined || isAlive(Number(pid))) continue
    await remove({ root, id, force: true })
  }
}

/** This process has run nothing yet: a leftover with its number is an earlier process's. */
const isAlive = (pid: number): boolean => (pid === process.pid ? serial > 0 : readProcessStat(pid) !== undefined)

function entriesOf(root: string): readonly string[] {
  try {
    return readdirSync(root)
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return []
    throw error
  }
}
