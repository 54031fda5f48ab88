import { constants } from 'node:os'
import { OciError } from '../../errors.ts'
import { cgroupExists, sendSignal, signalCgroup, thaw } from '../../runtime/cgroup/cgroup.ts'
import { notRunning } from '../../runtime/not-running.ts'
import { dropsSignal, hasEnded, isAlive } from '../../runtime/proc.ts'
import { parseSignal } from '../../runtime/signal.ts'
import { type ContainerRecord, isCreating, readContainer } from '../../runtime/state-file.ts'
import { absoluteRoot } from '../../state-root.ts'
import type { ContainerOptions } from './state.ts'

export interface KillOptions extends ContainerOptions {
  /** A number, or a name with or without `SIG`; SIGTERM unless given, or empty. */
  readonly signal?: string | undefined
  /** Every process of the container, and none is no error. */
  readonly all?: boolean | undefined
  /** Return when the container has ended. */
  readonly wait?: boolean | undefined
  /** Told, before it is sent, that a signal which ends most processes is one that the container's first process ignores. */
  readonly onIgnored?: (() => void) | undefined
  /** Ends that wait. */
  readonly abort?: AbortSignal | undefined
}

const { SIGHUP, SIGINT, SIGQUIT, SIGTERM } = constants.signals
/** The signals by which processes are asked to end. */
const ends: readonly number[] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM]

/**
 * Sends a signal to a container's first process; SIGKILL to one without a PID namespace of its own goes to all of them.
 *
 * @throws OciError `ERR_CONTAINER_STATUS` the container is not running, or is being created
 * @throws OciError `ERR_USAGE` an unknown signal
 * @see runtime-spec v1.3.0 runtime.md "Kill"
 */
export async function kill({ root, id, signal, all, wait, onIgnored, abort }: KillOptions): Promise<void> {
  const number = parseSignal(signal || 'SIGTERM')
  const container = readContainer(absoluteRoot(root), id)
  if (isCreating(container)) throw isBeingCreated(id)
  const { init, cgroupPaths, hasOwnPidNamespace } = container
  if (!all && ends.includes(number) && isAlive(init) && dropsSignal(init.pid, number, hasOwnPidNamespace)) onIgnored?.()
  if (all) signalCgroup(cgroupPaths, number)
  else if (!signalContainer(container, number)) throw notRunning(id)
  if (wait) await hasEnded(init, { withinMs: Number.POSITIVE_INFINITY, signal: abort })
}

/** The error that a container has no process yet. */
export const isBeingCreated = (id: string): OciError =>
  new OciError('ERR_CONTAINER_STATUS', `container not running: "${id}" is creating`, {
    hint: 'wait until it is created, or end that with `bundle-tool delete --force`',
  })

/** Does what `kill` does. @returns false when there is nothing to signal */
export function signalContainer(container: ContainerRecord, signal: number): boolean {
  const { cgroupPaths, init } = container
  const isKill = signal === constants.signals.SIGKILL
  if (isKill && !container.hasOwnPidNamespace && cgroupExists(cgroupPaths)) {
    return signalCgroup(cgroupPaths, signal) > 0 || isAlive(init)
  }
  if (!isAlive(init) || !sendSignal(init.pid, signal)) return false
  // A frozen process of cgroup v1 dies only when it is thawed.
  if (isKill) thaw(cgroupPaths)
  return true
}
