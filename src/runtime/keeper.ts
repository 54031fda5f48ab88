import { join } from 'node:path'
import { isSystemError } from '../errors.ts'
import { readFile } from '../host/read-file.ts'
import { keeperFile } from '../program/contract.ts'
import { hasEnded, isAlive } from './proc.ts'

const endTimeoutMs = 10_000
const maxBytes = 64

/** Ends the program that is a container's way to the network, if one has been left: it ends with the container. */
export async function endKeeper(directory: string): Promise<void> {
  const keeper = readKeeper(join(directory, keeperFile))
  if (keeper === undefined || !isAlive(keeper)) return
  try {
    process.kill(keeper.pid, 'SIGKILL')
  } catch (error) {
    if (isSystemError(error, 'ESRCH')) return
    throw error
  }
  await hasEnded(keeper, { withinMs: endTimeoutMs })
}

function readKeeper(path: string): { readonly pid: number; readonly startTime: number } | undefined {
  try {
    const [, pid, startTime] = /^(\d+) (\d+)\n$/.exec(readFile(path, { limit: maxBytes }).toString()) ?? []
    return pid === undefined ? undefined : { pid: Number(pid), startTime: Number(startTime) }
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return undefined
    throw error
  }
}
