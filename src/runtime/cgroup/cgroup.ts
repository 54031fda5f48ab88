import { existsSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isSystemError, OciError } from '../../errors.ts'
import { readThreadGroup } from '../proc.ts'
import { freezerFilesV1, freezerFilesV2, freezerOf, isProven } from './freezer-files.ts'

const patienceMs = 10_000
/** The number of SIGKILL on every architecture. */
const SIGKILL = 9

/** Waits. The timer module is loaded here: a `run` has nothing to wait for, and is half a millisecond faster. */
async function sleep(ms: number): Promise<void> {
  const { setTimeout } = await import('node:timers/promises')
  await setTimeout(ms)
}

/** The directories of one cgroup: by controller on cgroup v1, and under `''` in the unified hierarchy. */
export type CgroupPaths = Readonly<Record<string, string>>

/**
 * True when the cgroup itself is frozen; a cgroup below a frozen one does not count.
 *
 * It waits for the end of a freeze under way, which takes milliseconds. A removed cgroup is not frozen.
 */
export async function isFrozen(paths: CgroupPaths): Promise<boolean> {
  const { freezer, '': unified } = paths
  for (;;) {
    if (freezer !== undefined) {
      const state = readControl(freezer, freezerFilesV1.control)
      if (state === freezerFilesV1.frozen) return readControl(freezer, freezerFilesV1.proof) !== '0'
      if (state !== 'FREEZING') return false
    } else {
      if (unified === undefined || readControl(unified, freezerFilesV2.control) !== freezerFilesV2.frozen) return false
      if (isProven(readControl(unified, freezerFilesV2.proof))) return true
    }
    await sleep(1)
  }
}

/** Thaws the processes of the cgroup; does nothing when the cgroup is gone. */
export function thaw(paths: CgroupPaths): void {
  writeFreezer(paths, false)
}

/** All processes in the cgroup and those below it, each once. */
export function readProcesses(paths: CgroupPaths): readonly number[] {
  const directory = processDirectory(paths)
  return directory === undefined ? [] : [...new Set(processesBelow(directory))]
}

/** True when the cgroup exists. */
export function cgroupExists(paths: CgroupPaths): boolean {
  const directory = processDirectory(paths)
  return directory !== undefined && existsSync(join(directory, 'cgroup.procs'))
}

/**
 * Sends a signal to every process in the cgroup and those below it, also to those that are just being forked.
 *
 * @returns the number of processes
 */
export function signalCgroup(paths: CgroupPaths, signal: number): number {
  const unified = paths['']
  const isUnified = processDirectory(paths) === unified
  const processes = readProcesses(paths)
  if (isUnified && unified !== undefined && signal === SIGKILL && killUnified(unified)) {
    return processes.length
  }
  // While frozen, no process can fork away from the list, or end and leave its pid to another process.
  const wasFrozen = writeFreezer(paths, true)
  try {
    const listed = readProcesses(paths)
    for (const pid of listed) sendSignal(pid, signal)
    return listed.length
  } finally {
    if (wasFrozen) thaw(paths)
  }
}

/**
 * Removes the cgroup and those below it, from every hierarchy. One that is gone is no error.
 *
 * The kernel frees a cgroup a moment after its last process has ended, and on a busy machine a killed process takes
 * seconds to end: a busy cgroup is tried again for ten seconds.
 * @param tolerant a missing permission is no error: a rootless container may have been given its cgroups
 * @throws OciError `ERR_CONTAINER_STATUS` there are still processes in it
 */
export async function removeCgroup(paths: CgroupPaths, tolerant = false): Promise<void> {
  const deadline = Date.now() + patienceMs
  for (const path of new Set(Object.values(paths))) {
    for (let delayMs = 1; !removeTree(path, tolerant); delayMs = Math.min(delayMs * 2, 100)) {
      if (Date.now() > deadline) {
        throw new OciError('ERR_CONTAINER_STATUS', `unable to remove cgroup "${path}": it still has processes`, {
          hint: 'end the processes that its cgroup.procs lists',
        })
      }
      await sleep(delayMs)
    }
  }
}

/** Sends `signal`; false when there is no such process. */
export function sendSignal(pid: number, signal: number): boolean {
  try {
    return process.kill(pid, signal)
  } catch (error) {
    if (isSystemError(error, 'ESRCH')) return false
    if (isSystemError(error, 'EPERM')) {
      throw new OciError('ERR_PERMISSION', `unable to signal process ${pid}: operation not permitted`, { cause: error })
    }
    if (isSystemError(error, 'EINVAL')) throw new OciError('ERR_USAGE', `unknown signal "${signal}"`, { cause: error })
    throw error
  }
}

/** The directory that lists the processes: any hierarchy will do, since the container is in all of them. */
function processDirectory(paths: CgroupPaths): string | undefined {
  return (
    paths.devices ?? paths.freezer ?? paths.pids ?? Object.entries(paths).find(([key]) => key !== '')?.[1] ?? paths['']
  )
}

function processesBelow(directory: string): readonly number[] {
  return [...processesIn(directory), ...childrenOf(directory).flatMap(processesBelow)]
}

/**
 * The processes that a cgroup lists. A threaded cgroup refuses to list them, and lists its threads instead.
 * @see kernel cgroup-v2.rst "Threads"
 */
function processesIn(directory: string): readonly number[] {
  try {
    return readNumbers(directory, 'cgroup.procs')
  } catch (error) {
    if (!isNotSupported(error)) throw error
    return readNumbers(directory, 'cgroup.threads').flatMap((thread) => readThreadGroup(thread) ?? [])
  }
}

function readNumbers(directory: string, file: string): readonly number[] {
  const lines = (readControl(directory, file) ?? '').split('\n').filter((line) => line !== '')
  return lines.map(Number)
}

/** @see man 7 cgroups "cgroup.kill", Linux 5.14 */
function killUnified(directory: string): boolean {
  try {
    return writeControl(directory, 'cgroup.kill', '1')
  } catch (error) {
    if (!isNotSupported(error)) throw error
    return false // a threaded cgroup
  }
}

/** Node.js calls EOPNOTSUPP by its other name. */
const isNotSupported = (error: unknown): boolean => isSystemError(error, 'ENOTSUP', 'EOPNOTSUPP')

/** Freezes or thaws, without waiting. @returns true when there is a freezer */
function writeFreezer(paths: CgroupPaths, frozen: boolean): boolean {
  const found = freezerOf(paths)
  if (found === undefined) return false
  const { directory, files } = found
  return writeControl(directory, files.control, frozen ? files.frozen : files.thawed)
}

/** Removes the directory and those in it, children first. @returns true when the directory is gone */
function removeTree(directory: string, tolerant: boolean): boolean {
  const children = childrenOf(directory).map((child) => removeTree(child, tolerant))
  if (children.includes(false)) return false
  try {
    rmdirSync(directory)
  } catch (error) {
    if (isSystemError(error, 'EBUSY', 'ENOTEMPTY')) return false
    if (tolerant && isSystemError(error, 'EPERM', 'EACCES', 'EROFS')) return true
    if (!isSystemError(error, 'ENOENT', 'ENODEV')) throw error
  }
  return true
}

function childrenOf(directory: string): readonly string[] {
  try {
    const entries = readdirSync(directory, { withFileTypes: true })
    return entries.filter((entry) => entry.isDirectory()).map((entry) => join(directory, entry.name))
  } catch (error) {
    // Where the caller may not look there is none of its own.
    if (isSystemError(error, 'ENOENT', 'ENODEV', 'EACCES')) return []
    throw error
  }
}

/**
 * The content of a control file without white space around it, undefined when the file or the cgroup does not exist.
 */
export function readControl(directory: string, file: string): string | undefined {
  try {
    return readFileSync(join(directory, file), 'utf8').trim()
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENODEV')) return undefined
    throw error
  }
}

/** Writes a control file, which must exist. @returns false when it does not */
export function writeControl(directory: string, file: string, value: string): boolean {
  try {
    writeFileSync(join(directory, file), value, { flag: 'r+' })
    return true
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENODEV')) return false
    throw error
  }
}
