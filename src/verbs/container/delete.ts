import { lstatSync, type Stats } from 'node:fs'
import { readdir, readFile, rm, rmdir } from 'node:fs/promises'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { type ErrorCode, isSystemError, leadsNowhere, OciError } from '../../errors.ts'
import { stateFile } from '../../program/contract.ts'
import { removeCgroup, sendSignal, signalCgroup } from '../../runtime/cgroup/cgroup.ts'
import { parseContainerID } from '../../runtime/container-id.ts'
import { runHook } from '../../runtime/hooks.ts'
import { endKeeper } from '../../runtime/keeper.ts'
import { hasEnded, waitWhile } from '../../runtime/proc.ts'
import { type ContainerRecord, isCreating, readContainer, readStatus } from '../../runtime/state-file.ts'
import { absoluteRoot } from '../../state-root.ts'
import { signalContainer } from './kill.ts'
import type { ContainerOptions } from './state.ts'

const killTimeoutMs = 10_000
const { SIGKILL, SIGTERM, SIGCONT } = constants.signals

export interface DeleteOptions extends ContainerOptions {
  /** Kill the container first whatever it does, or end its creation; that there is none is no error. */
  readonly force?: boolean | undefined
  /** Hears what did not work and does not keep the container from being deleted. */
  readonly warn?: ((message: string) => void) | undefined
}

/**
 * Deletes a container that has stopped or was never started: its cgroups and its state directory.
 *
 * Its poststop hooks run last; one that fails is a warning, and the next one runs. One that is being created is ended by
 * force alone: the command that creates it takes back what it has made, and fails.
 * @throws OciError `ERR_CONTAINER_STATUS` it is running, paused or being created, or does not end within ten seconds
 * @throws OciError `ERR_CONTAINER_NOT_FOUND`; `ERR_STATE_INVALID` what has its name in the root is no directory
 * @see runtime-spec v1.3.0 runtime.md "Delete", "Lifecycle" 13
 */
export async function remove({ root, id, force = false, warn }: DeleteOptions): Promise<void> {
  const directory = absoluteRoot(root)
  let container = await findContainer(directory, id, force)
  if (force && container !== undefined && isCreating(container)) {
    await endCreation(container)
    container = await findContainer(directory, id, force) // what that has left, or has brought to its end
  }
  if (container === undefined) return
  const status = await readStatus(container)
  if (force || status === 'created') await killAndWait(container)
  else if (status !== 'stopped') {
    throw new OciError('ERR_CONTAINER_STATUS', `cannot delete container ${id} that is not stopped: ${status}`, {
      hint: status === 'creating' ? 'wait until it is created, or use --force' : 'stop it first, or use --force',
    })
  }
  await destroy(container)
  await runPoststopHooks(container, warn)
}

const unreadable: readonly ErrorCode[] = ['ERR_CONTAINER_NOT_FOUND', 'ERR_STATE_INVALID']

/**
 * The container; undefined where there is none, when forced, and where there was only what a killed create has left, which is
 * removed. By force any directory without a state.json is, as by runc.
 */
async function findContainer(root: string, id: string, force: boolean): Promise<ContainerRecord | undefined> {
  try {
    return readContainer(root, id)
  } catch (error) {
    if (!(error instanceof OciError) || !unreadable.includes(error.code)) throw error
    const path = join(root, parseContainerID(id))
    const found = lstatIfThere(path)
    if (found?.isDirectory() && (await removeRemains(path))) return undefined
    if (!force || error.code !== 'ERR_CONTAINER_NOT_FOUND') throw error
    if (found !== undefined && !found.isDirectory()) {
      throw new OciError('ERR_STATE_INVALID', `"${path}" is no directory, and so no container's`, {
        hint: 'remove it by hand, if nobody needs it',
      })
    }
    await rm(path, { recursive: true, force: true })
    return undefined
  }
}

function lstatIfThere(path: string): Stats | undefined {
  try {
    return lstatSync(path)
  } catch (error) {
    if (leadsNowhere(error)) return undefined
    throw error
  }
}

/**
 * Removes what a create leaves that is killed as it begins: nothing but a state.json that is not whole, or not even that. What
 * is there later is written by another name first.
 *
 * @returns whether it was that
 */
async function removeRemains(directory: string): Promise<boolean> {
  const entries = await readdir(directory, { withFileTypes: true })
  if (entries.some((entry) => entry.name !== stateFile || !entry.isFile())) return false
  if (entries.length > 0 && isJson(await readFile(join(directory, stateFile), 'utf8'))) return false
  await rm(directory, { recursive: true, force: true })
  return true
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch (error) {
    if (error instanceof SyntaxError) return false
    throw error
  }
}

/** Has the command that creates the container stop, which then undoes all of it; ends it when it does not within ten seconds. */
async function endCreation({ directory, id, creator }: ContainerRecord): Promise<void> {
  const goesOn = () => isBeingCreated(dirname(directory), id)
  for (const signal of [SIGTERM, SIGCONT]) sendSignal(creator.pid, signal)
  if (await waitWhile(goesOn, { withinMs: killTimeoutMs })) return
  sendSignal(creator.pid, SIGKILL)
  await waitWhile(goesOn, { withinMs: killTimeoutMs })
}

function isBeingCreated(root: string, id: string): boolean {
  try {
    return isCreating(readContainer(root, id))
  } catch (error) {
    if (error instanceof OciError && error.code === 'ERR_CONTAINER_NOT_FOUND') return false
    throw error
  }
}

async function killAndWait(container: ContainerRecord): Promise<void> {
  signalContainer(container, SIGKILL)
  if (await hasEnded(container.init, { withinMs: killTimeoutMs })) return
  throw new OciError('ERR_CONTAINER_STATUS', 'container init still running')
}

async function destroy(container: ContainerRecord): Promise<void> {
  const { cgroupPaths, directory, hasOwnPidNamespace, init, rootlessCgroups, unit } = container
  // Without a PID namespace of their own, processes survive the first one; of a create that was killed that is not known.
  if (!hasOwnPidNamespace || init.pid === 0) signalCgroup(cgroupPaths, SIGKILL)
  if (unit !== undefined) {
    const { stopUnit, withSystemd } = await import('../../runtime/systemd.ts')
    await withSystemd(unit.kind, (connection) => stopUnit(connection, unit.name))
  }
  await removeCgroup(cgroupPaths, rootlessCgroups)
  await removeResctrlGroups(container)
  await endKeeper(directory)
  await removeStateDirectory(directory)
}

/** state.json goes last: as long as anything is left, it says what that is. */
async function removeStateDirectory(directory: string): Promise<void> {
  const others = (await namesIn(directory)).filter((name) => name !== stateFile)
  for (const name of others) await rm(join(directory, name), { recursive: true, force: true })
  await rm(directory, { recursive: true, force: true })
}

/** None where the directory is gone: a container that was run in the foreground is removed by its runner, too. */
async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory)
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return []
    throw error
  }
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
  for (const [index, hook] of container.poststopHooks.entries()) {
    const problem = await runHook(container, hook, 'stopped')
    if (problem !== undefined) warn?.(`error running poststop hook #${index}: ${problem}`)
  }
}
