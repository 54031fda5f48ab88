import { readdirSync } from 'node:fs'
import { isSystemError, OciError } from '../../errors.ts'
import { tryPrefix } from '../../program/contract.ts'
import type { ContainerID } from '../../runtime/container-id.ts'
import { isAliveSince, readProcessStat } from '../../runtime/proc.ts'
import { type ContainerRecord, readContainer, readStatus } from '../../runtime/state-file.ts'
import { isTryBundle } from '../image/try-bundle.ts'
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

/** Removes the container that has the name of a new one, if a try has made it whose process was killed. */
export async function removeNamesake(id: ContainerID, { root, store }: { root: string; store: string }): Promise<void> {
  const container = containerNamed(id, root)
  if (container === undefined || !isTryBundle(store, container.bundle)) return
  if (isAliveSince(container.creator) || (await readStatus(container)) !== 'stopped') return
  await remove({ root, id, force: true })
}

function containerNamed(id: ContainerID, root: string): ContainerRecord | undefined {
  try {
    return readContainer(root, id)
  } catch (error) {
    if (error instanceof OciError && error.code === 'ERR_CONTAINER_NOT_FOUND') return undefined
    throw error
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
