import { setTimeout as sleep } from 'node:timers/promises'
import { isSystemError, OciError } from '../../errors.ts'
import { type CgroupPaths, readControl, thaw, writeControl } from './cgroup.ts'
import { freezerFilesV1, freezerFilesV2, isProven } from './freezer-files.ts'

const freezeTimeoutMs = 10_000
const waitMs = 2

/**
 * Freezes every process of the cgroup and those below it, and waits until all are frozen.
 *
 * A cgroup that cannot be frozen is thawed: a half-frozen container is worse than a running one.
 * @throws OciError `ERR_CONTAINER_STATUS` the cgroup is not frozen within ten seconds; `ERR_NOT_SUPPORTED` there is no
 *   freezer
 */
export async function freeze(paths: CgroupPaths): Promise<void> {
  const freezer = freezerOf(paths)
  try {
    const deadline = Date.now() + freezeTimeoutMs
    for (let round = 1; !freezer.tryFreeze(round); round++) {
      if (Date.now() > deadline) throw new OciError('ERR_CONTAINER_STATUS', 'unable to freeze the container')
      await sleep(waitMs)
    }
  } catch (error) {
    thaw(paths)
    throw error
  }
}

interface Freezer {
  /** Requests the freeze. @returns true when it is complete */
  readonly tryFreeze: (round: number) => boolean
}

function freezerOf({ freezer, '': unified }: CgroupPaths): Freezer {
  if (freezer !== undefined) return { tryFreeze: (round) => tryFreezeV1(freezer, round) }
  if (unified !== undefined) return { tryFreeze: (round) => tryFreezeV2(unified, round) }
  throw new OciError('ERR_NOT_SUPPORTED', 'the container has no freezer cgroup', {
    hint: 'mount the freezer controller, or cgroup2, before the container is created',
  })
}

/**
 * Processes that enter the cgroup during the freeze can keep it at FREEZING: each further request includes them, and a
 * short thaw now and then lets processes continue that wait for a frozen one.
 * @see kernel cgroup-v1/freezer-subsystem.rst
 */
function tryFreezeV1(directory: string, round: number): boolean {
  const { control, frozen, thawed } = freezerFilesV1
  if (round % 50 === 0) request(directory, control, thawed)
  request(directory, control, frozen)
  return readControl(directory, control) === frozen
}

/** @see kernel cgroup-v2.rst "cgroup.freeze" */
function tryFreezeV2(directory: string, round: number): boolean {
  if (round === 1) request(directory, freezerFilesV2.control, freezerFilesV2.frozen)
  return isProven(readControl(directory, freezerFilesV2.proof))
}

function request(directory: string, file: string, value: string): void {
  try {
    if (writeControl(directory, file, value)) return
  } catch (cause) {
    if (!isSystemError(cause, 'EACCES', 'EPERM', 'EROFS')) throw cause
    throw new OciError('ERR_PERMISSION', `unable to write ${directory}/${file}: ${cause.code}`, { cause })
  }
  throw new OciError('ERR_NOT_SUPPORTED', `there is no ${directory}/${file}`)
}
