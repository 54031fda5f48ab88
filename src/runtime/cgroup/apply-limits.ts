import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { canBeUnified } from '../../compile/cgroup/controllers.ts'
import type { Limit, LimitHost } from '../../compile/cgroup/limit.ts'
import { isSystemError, OciError } from '../../errors.ts'
import type { CgroupPaths } from './cgroup.ts'
import { previousValues } from './previous-values.ts'

/** A value for a control file, and how to go back. */
interface Change {
  readonly path: string
  readonly value: string
  readonly limit: Limit
}

/**
 * Changes limits of a cgroup in use: all of them, or, when one or `alongside` is refused, none.
 *
 * Some values the kernel takes only after another has changed (memory with swap, quota and period), and which has to be
 * first depends on what holds now. So a value that is refused waits until others have been taken.
 * @param warn hears of a value that could not be put back
 * @param alongside what has to succeed as well
 * @throws OciError `ERR_SYSCALL`, `ERR_PERMISSION` or `ERR_CONFIG_UNSUPPORTED` with the pointer of the limit
 */
export async function applyLimits(
  limits: readonly Limit[],
  paths: CgroupPaths,
  {
    warn,
    alongside,
  }: { readonly warn: (message: string) => void; readonly alongside?: (() => Promise<void>) | undefined },
): Promise<void> {
  const changes = limits.map((limit) => ({ path: pathOf(limit, paths), value: limit.value, limit }))
  const undo: Change[] = []
  try {
    writeAll(changes, (back) => undo.unshift(...back))
    if (alongside !== undefined) {
      await alongside()
      // systemd writes its own: without a quota, for one, the default period.
      writeAll(changes, () => {})
    }
  } catch (error) {
    try {
      writeAll(undo, () => {})
    } catch (failure) {
      if (!(failure instanceof OciError)) throw failure
      warn(`a limit could not be put back: ${failure.message}`)
    }
    throw error
  }
}

/** The directories of the unified hierarchy alone, or those of cgroup v1 and perhaps that one too. */
export function cgroupVersion(paths: CgroupPaths): 1 | 2 {
  return Object.keys(paths).some((controller) => controller !== '') ? 1 : 2
}

/** Limits of a container go where it has the controller. */
export function limitHostOf(paths: CgroupPaths): Omit<LimitHost, 'hasBfq'> {
  const isUnified = cgroupVersion(paths) === 2
  return { versionOf: (controller) => directoryOf(controller, paths)?.version ?? (isUnified ? 2 : 1), isUnified }
}

/** @param controller by either of its names */
function directoryOf(
  controller: string,
  paths: CgroupPaths,
): { readonly directory: string; readonly version: 1 | 2 } | undefined {
  const { [controller]: v1, '': unified } = paths
  if (v1 !== undefined) return { directory: v1, version: 1 }
  if (unified === undefined || (cgroupVersion(paths) === 1 && !canBeUnified(controller))) return undefined
  return { directory: unified, version: 2 }
}

function pathOf({ controller, file, from }: Limit, paths: CgroupPaths): string {
  const place = directoryOf(controller, paths)
  if (place !== undefined) return join(place.directory, file)
  throw new OciError('ERR_CONFIG_UNSUPPORTED', `the container has no cgroup with the controller "${controller}"`, {
    pointer: from[0],
    hint: 'mount the controller before the container is created',
  })
}

/** @param onWritten gets, for each value that is taken, what goes back to the one before */
function writeAll(changes: readonly Change[], onWritten: (back: readonly Change[]) => void): void {
  let refused: OciError | undefined
  let waiting = changes
  do {
    const last = waiting
    waiting = last.filter((change) => {
      const back = reverted(change)
      const error = write(change)
      if (error === undefined) onWritten(back)
      refused = error ?? refused
      return error !== undefined
    })
    if (refused !== undefined && waiting.length === last.length) throw refused
  } while (waiting.length > 0)
}

/** @returns the refusal of a value that may be taken later */
function write({ path, value, limit }: Change): OciError | undefined {
  try {
    writeFileSync(path, value, { flag: 'r+' })
    return undefined
  } catch (error) {
    if (!isSystemError(error)) throw error
    if (error.code === 'ENOENT' && limit.optional) return undefined
    const refusal = new OciError(
      error.code === 'EACCES' || error.code === 'EPERM' ? 'ERR_PERMISSION' : 'ERR_SYSCALL',
      `unable to set ${path} to "${value}": ${error.code}${memoryInUse(path)}`,
      { pointer: limit.from[0], cause: error },
    )
    if (error.code === 'EINVAL' || error.code === 'EBUSY') return refusal
    throw refusal
  }
}

/** Why a memory limit is refused with EBUSY, most often. */
function memoryInUse(path: string): string {
  if (!path.endsWith('/memory.limit_in_bytes')) return ''
  const read = (file: string): string => readFileSync(path.replace(/[^/]*$/, file), 'utf8').trim()
  return ` (current usage: ${read('memory.usage_in_bytes')}, peak usage: ${read('memory.max_usage_in_bytes')})`
}

function reverted(change: Change): readonly Change[] {
  return previousValues(change.value, readControlText(change.path)).map((value) => ({ ...change, value }))
}

/** Empty for a file that is not there or cannot be read. */
function readControlText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'EACCES', 'EINVAL', 'EOPNOTSUPP')) return ''
    throw error
  }
}
