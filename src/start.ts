import { closeSync, existsSync, constants as flags, openSync, readSync, unlinkSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isSystemError, OciError } from './errors.ts'
import { signalContainer } from './kill.ts'
import { runHook } from './runtime/hooks.ts'
import { isAlive } from './runtime/proc.ts'
import { absoluteRoot } from './runtime/root.ts'
import { type ContainerRecord, readContainer, readStatus } from './runtime/state-file.ts'
import { type ContainerOptions, stateOf } from './state.ts'

export interface StartOptions extends ContainerOptions {
  /** Stops the wait for a container that does not come. */
  readonly abort?: AbortSignal | undefined
}

/**
 * Lets a created container run its program.
 *
 * @throws OciError `ERR_CONTAINER_STATUS` the container is running, paused or stopped, or its process has died waiting
 * @see runtime-spec v1.3.0 runtime.md "Start"
 */
export async function start({ root, id, abort }: StartOptions): Promise<void> {
  const container = readContainer(absoluteRoot(root), id)
  const status = await readStatus(container)
  if (status === 'created') {
    await openGate(container, abort)
    return await runPoststartHooks(container)
  }
  throw cannotStart(status === 'running' ? 'an already running container' : whyNot(status))
}

/** A hook that fails ends the container. @see runtime-spec v1.3.0 runtime.md "Lifecycle" 10 */
async function runPoststartHooks(container: ContainerRecord): Promise<void> {
  const state = JSON.stringify(stateOf(container, 'running'))
  for (const [index, hook] of container.poststartHooks.entries()) {
    const problem = await runHook(hook, state)
    if (problem === undefined) continue
    signalContainer(container, constants.signals.SIGKILL)
    throw new OciError('ERR_HOOK', `error running poststart hook #${index}: ${problem}`)
  }
}

const whyNot = (status: string): string =>
  status === 'stopped' ? 'a container that has stopped' : `a container in the ${status} state`

const cannotStart = (what: string): OciError => new OciError('ERR_CONTAINER_STATUS', `cannot start ${what}`)

/**
 * Reads the byte that the container's process writes into its FIFO once somebody reads there, and removes the FIFO.
 *
 * Opened without blocking, and looked at every millisecond, so that a process that dies meanwhile is noticed.
 */
async function openGate(container: ContainerRecord, abort: AbortSignal | undefined): Promise<void> {
  const path = join(container.directory, 'exec.fifo')
  const fd = openFifo(path)
  try {
    for (;;) {
      // In this order: what a process has written before its death counts.
      const alive = isAlive(container.init)
      if (readByte(fd)) break
      if (!alive) throw new OciError('ERR_CONTAINER_STATUS', 'container process is already dead')
      if (!existsSync(path)) throw cannotStart('an already running container')
      await sleep(1, undefined, abort && { signal: abort })
    }
    removeFile(path)
  } finally {
    closeSync(fd)
  }
}

function openFifo(path: string): number {
  try {
    return openSync(path, flags.O_RDONLY | flags.O_NONBLOCK | flags.O_NOFOLLOW)
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) throw cannotStart('an already running container')
    throw error
  }
}

/** Whether a byte was there. No writer yet reads as the end, a writer that has not written as EAGAIN. */
function readByte(fd: number): boolean {
  try {
    return readSync(fd, Buffer.alloc(1)) > 0
  } catch (error) {
    if (isSystemError(error, 'EAGAIN')) return false
    throw error
  }
}

function removeFile(path: string): void {
  try {
    unlinkSync(path)
  } catch (error) {
    if (!isSystemError(error, 'ENOENT')) throw error
  }
}
