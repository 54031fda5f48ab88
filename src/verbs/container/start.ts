import {
  closeSync,
  existsSync,
  constants as flags,
  fstatSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
  unlinkSync,
} from 'node:fs'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { compileNotifyStart, notifyDirectory, notifyName } from '../../compile/state/notify.ts'
import { isSystemError, OciError } from '../../errors.ts'
import { startFifo } from '../../program/contract.ts'
import { runHook } from '../../runtime/hooks.ts'
import { isAlive } from '../../runtime/proc.ts'
import { runProgram } from '../../runtime/runner.ts'
import { type ContainerRecord, readContainer, readStatus } from '../../runtime/state-file.ts'
import { absoluteRoot } from '../../state-root.ts'
import { signalContainer } from './kill.ts'
import type { ContainerOptions } from './state.ts'

export interface StartOptions extends ContainerOptions {
  /** The host's socket that is to hear of the container being ready, which is waited for: sd_notify(3). */
  readonly notifySocket?: string | undefined
  /** Stops the wait for a container that does not come. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Lets a created container run its program.
 *
 * @throws OciError `ERR_CONTAINER_STATUS` the container is running, paused or stopped, or its process has died waiting
 * @see runtime-spec v1.3.0 runtime.md "Start"
 */
export async function start({ root, id, signal, notifySocket }: StartOptions): Promise<void> {
  const container = readContainer(absoluteRoot(root), id)
  const status = await readStatus(container)
  if (status === 'created') {
    const relay = notifySocket === undefined ? undefined : await startRelay(container, notifySocket)
    await openGate(container, signal)
    await runPoststartHooks(container)
    await relay?.ended
    return
  }
  throw cannotStart(status === 'running' ? 'an already running container' : whyNot(status))
}

/**
 * Makes the container's notify socket and starts who passes on what is written there, until the container is ready.
 *
 * Undefined for a container that was created without a place for it: it says nothing to anybody.
 */
async function startRelay(container: ContainerRecord, host: string): Promise<{ ended: Promise<unknown> } | undefined> {
  const directory = join(container.directory, notifyDirectory)
  const path = join(directory, notifyName)
  if (!existsSync(directory)) return undefined
  removeFile(path) // of a start that was killed
  let hasEnded = false
  const ended = runProgram(compileNotifyStart(container, host), { id: container.id, forwardSignals: true }).finally(
    () => {
      hasEnded = true
    },
  )
  ended.catch(() => undefined) // told when it is waited for
  while (!hasEnded && !existsSync(path)) await sleep(1)
  if (hasEnded) await ended
  return { ended }
}

/** A hook that fails ends the container. @see runtime-spec v1.3.0 runtime.md "Lifecycle" 10 */
async function runPoststartHooks(container: ContainerRecord): Promise<void> {
  for (const [index, hook] of container.poststartHooks.entries()) {
    const problem = await runHook(container, hook, 'running')
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
async function openGate(container: ContainerRecord, signal: AbortSignal | undefined): Promise<void> {
  const path = join(container.directory, startFifo)
  const isOwn = isClosedToOthers(container.directory)
  const fd = openFifo(path)
  let hasByte = false
  try {
    for (;;) {
      // In this order: what a process has written before its death counts.
      const alive = isAlive(container.init)
      hasByte = readByte(fd) || hasByte
      if (hasByte && (isOwn || !alive || !holds(container.init, fd))) break
      if (!alive) throw new OciError('ERR_CONTAINER_STATUS', 'container process is already dead')
      if (!existsSync(path)) throw cannotStart('an already running container')
      await sleep(1)
      signal?.throwIfAborted()
    }
    removeFile(path)
  } finally {
    closeSync(fd)
  }
}

/**
 * True when nobody but the caller and the container can have written to the FIFO. runc's directories are open, its roots are
 * not.
 */
function isClosedToOthers(directory: string): boolean {
  return [directory, dirname(directory)].some((path) => (statSync(path).mode & 0o077) === 0)
}

/**
 * True when the process has this file open, as it has its FIFO while it waits: a byte that was read then was written
 * by somebody else.
 */
function holds({ pid }: ContainerRecord['init'], file: number): boolean {
  const { dev, ino } = fstatSync(file)
  const directory = `/proc/${pid}/fd`
  try {
    return readdirSync(directory).some((name) => {
      const other = statSync(join(directory, name), { throwIfNoEntry: false })
      return other?.ino === ino && other.dev === dev
    })
  } catch (error) {
    // Gone, or of another user than the caller, for whom nothing more is to be found out.
    if (isSystemError(error, 'ENOENT', 'ESRCH', 'EACCES', 'EPERM')) return false
    throw error
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

/** Reads a byte; true when there was one. Without a writer the read is at the end, with one that has not written it is EAGAIN. */
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
