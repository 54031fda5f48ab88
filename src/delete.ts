import { rm, rmdir } from 'node:fs/promises'
import { constants } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isSystemError, OciError } from './errors.ts'
import { signalContainer } from './kill.ts'
import { removeCgroup, signalCgroup } from './runtime/cgroup.ts'
import { parseContainerID } from './runtime/container-id.ts'
import { hookState, runHook } from './runtime/hooks.ts'
import { isAlive } from './runtime/proc.ts'
import { absoluteRoot } from './runtime/root.ts'
import { type ContainerRecord, readContainer, readStatus } from './runtime/state-file.ts'
import type { ContainerOptions } from './state.ts'

const killTimeoutMs = 10_000
const { SIGKILL } = constants.signals

export interface DeleteOptions extends ContainerOptions {
  /** Kill the container first whatever it does; that there is none is no error. */
  readonly force?: boolean | undefined
  /** Hears what did not work and does not keep the container from being deleted. */
  readonly warn?: ((message: string) => void) | undefined
}

/**
 * Deletes a container that has stopped or was never started: its cgroups and its state directory.
 *
 * Its poststop hooks run last; one that fails is a warning, and the next one runs.
 * @throws OciError `ERR_CONTAINER_STATUS` it is running or paused, or does not end within ten seconds
 * @throws OciError `ERR_CONTAINER_NOT_FOUND`
 * @see runtime-spec v1.3.0 runtime.md "Delete", "Lifecycle" 13
 */
export async function remove({ root, id, force = false, warn }: DeleteOptions): Promise<void> {
  const directory = absoluteRoot(root)
  const container = await findContainer(directory, id, force)
  if (container === undefined) return
  const status = await readStatus(container)
  if (force || status === 'created') await killAndWait(container)
  else if (status !== 'stopped') {
    throw new OciError('ERR_CONTAINER_STATUS', `cannot delete container ${id} that is not stopped: ${status}`, {
      hint: 'stop it first, or use --force',
    })
  }
  await destroy(container)
  await runPoststopHooks(container, warn)
}

/** The container, or, when forced, undefined where there is none; what a failed create has left is removed then. */
async function findContainer(root: string, id: string, force: boolean): Promise<ContainerRecord | undefined> {
  try {
    return readContainer(root, id)
  } catch (error) {
    if (!force || !(error instanceof OciError) || error.code !== 'ERR_CONTAINER_NOT_FOUND') throw error
    await rm(join(root, parseContainerID(id)), { recursive: true, force: true })
    return undefined
  }
}

async function killAndWait(container: ContainerRecord): Promise<void> {
  signalContainer(container, SIGKILL)
  const deadline = Date.now() + killTimeoutMs
  for (let delayMs = 1; isAlive(container.init); delayMs = Math.min(delayMs * 2, 50)) {
    if (Date.now() > deadline) throw new OciError('ERR_CONTAINER_STATUS', 'container init still running')
    await sleep(delayMs)
  }
}

async function destroy(container: ContainerRecord): Promise<void> {
  const { cgroupPaths, directory, hasOwnPidNamespace, rootlessCgroups, unit } = container
  // Without a PID namespace of their own, processes survive the first one.
  if (!hasOwnPidNamespace) signalCgroup(cgroupPaths, SIGKILL)
  if (unit !== undefined) {
    const { stopUnit, withSystemd } = await import('./runtime/systemd.ts')
    await withSystemd(unit.kind, (connection) => stopUnit(connection, unit.name))
  }
  await removeCgroup(cgroupPaths, rootlessCgroups)
  await removeResctrlGroups(container)
  await rm(directory, { recursive: true, force: true })
}

/** A class of service that config.json names by `closID` may be others' too: it stays. */
async function removeResctrlGroups({ resctrl }: ContainerRecord): Promise<void> {
  const path = resctrl?.isOwn ? resctrl.path : resctrl?.monitoring
  if (path === undefined) return
  try {
    await rmdir(path)
  } catch (error) {
    if (!isSystemError(error, 'ENOENT')) throw error
  }
}

async function runPoststopHooks(container: ContainerRecord, warn: DeleteOptions['warn']): Promise<void> {
  const state = hookState(container, 'stopped')
  for (const [index, hook] of container.poststopHooks.entries()) {
    const problem = await runHook(hook, state)
    if (problem !== undefined) warn?.(`error running poststop hook #${index}: ${problem}`)
  }
}
