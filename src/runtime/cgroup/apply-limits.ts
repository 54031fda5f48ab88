import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { canBeUnified } from '../../compile/cgroup/controllers.ts'
import type { Limit, LimitHost } from '../../compile/cgroup/limit.ts'
import { isSystemError, OciError } from '../../errors.ts'
import type { CgroupPaths } from './cgroup.ts'
import { previousValues } from './previous-values.ts'

/** A value for a control file, with the limit it comes from. */
interface Change {
  readonly path: string
  readonly value: string
  readonly limit: Limit
}

/**
 * Changes limits of a cgroup in use: all of them, or, when one or `alongside` is refused, none.
 *
 * The kernel accepts some values only after another has changed (memory and swap, quota and period), and the right
 * order depends on the current values. So a refused value is written again after others have been accepted.
 * @param warn called about a value that could not be restored
 * @param alongside work that has to succeed as well
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
      // systemd writes values of its own, such as the default period where there is no quota.
      writeAll(changes, () => {})
    }
  } catch (error) {
    try {
      writeAll(undo, () => {})
    } catch (failure) {
      if (!(failure instanceof OciError)) throw failure
      warn(`a limit could not be restored: ${failure.message}`)
    }
    throw error
  }
}

/** The cgroup version of `paths`: 2 when they have only the unified hierarchy, otherwise 1. */
export function cgroupVersion(paths: CgroupPaths): 1 | 2 {
  return Object.keys(paths).some((controller) => controller !== '') ? 1 : 2
}

/** The facts about a host for limits of a container, each of which goes where the container has the controller. */
export function limitHostOf(paths: CgroupPaths): Omit<LimitHost, 'hasBfq'> {
  const isUnified = cgroupVersion(paths) === 2
  return { versionOf: (controller) => directoryOf(controller, paths)?.version ?? (isUnified ? 2 : 1), isUnified }
}

/** The directory of a controller. @param controller its name on v1 or on v2 */
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

/**
 * Writes values until all are accepted.
 * @param onWritten called for each accepted value with the changes that restore the previous one
 */
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

/** Writes a value. @returns the refusal of a value that may be accepted later */
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

/** The usage that, in most cases, makes the kernel refuse a memory limit with EBUSY. */
function memoryInUse(path: string): string {
  if (!path.endsWith('/memory.limit_in_bytes')) return ''
  const read = (file: string): string => readFileSync(path.replace(/[^/]*$/, file), 'utf8').trim()
  return ` (current usage: ${read('memory.usage_in_bytes')}, peak usage: ${read('memory.max_usage_in_bytes')})`
}

function reverted(change: Change): readonly Change[] {
  return previousValues(change.value, readControlText(change.path)).map((value) => ({ ...change, value }))
}

/** The content of a control file; empty for a file that does not exist or cannot be read. */
function readControlText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'EACCES', 'EINVAL', 'EOPNOTSUPP')) return ''
    throw error
  }
}
