import { OciError } from '../../errors.ts'
import { readHostFacts } from '../../host/facts.ts'
import { cgroupExists, readProcesses } from '../../runtime/cgroup/cgroup.ts'
import { readOomCount } from '../../runtime/cgroup/oom-count.ts'
import { readCgroupStats } from '../../runtime/cgroup/read-stats.ts'
import { readResctrlStats } from '../../runtime/cgroup/resctrl-stats.ts'
import type { CgroupStats } from '../../runtime/cgroup/stats.ts'
import { watchCgroup } from '../../runtime/cgroup/watch.ts'
import { isAlive } from '../../runtime/proc.ts'
import { type ContainerRecord, hasProcesses, readContainer, readStatus } from '../../runtime/state-file.ts'
import { absoluteRoot } from '../../state-root.ts'
import type { ContainerOptions } from './state.ts'

export { jsonLine } from '../../runtime/cgroup/stat-files.ts'
export type {
  BlockIOEntry,
  CgroupStats,
  HugePageUsage,
  MemoryUsage,
  Pressure,
  PressureAverages,
} from '../../runtime/cgroup/stats.ts'

/** In the members and the order in which runc prints it. */
export type ContainerEvent =
  | { readonly type: 'stats'; readonly id: string; readonly data: CgroupStats }
  /** The container has reached its memory limit. */
  | { readonly type: 'oom'; readonly id: string }

export interface EventsOptions extends ContainerOptions {
  /** Between two `stats` events; the first comes after it. */
  readonly intervalMs: number
  /** Ends the wait for events. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Reads the use of resources of a container once.
 *
 * @throws OciError `ERR_CONTAINER_STATUS` it is stopped
 */
export async function containerStats(options: ContainerOptions): Promise<ContainerEvent> {
  const container = await runningContainer(options)
  return { type: 'stats', id: container.id, data: statsOf(container) }
}

/**
 * Reports the events of a container until it is gone.
 *
 * @throws OciError `ERR_CONTAINER_STATUS` it is stopped
 */
export async function* events(options: EventsOptions): AsyncGenerator<ContainerEvent> {
  const container = await runningContainer(options)
  const { id, cgroupPaths } = container
  const cgroup = watchCgroup(cgroupPaths)
  let count = readOomCount(cgroupPaths)
  try {
    for (let next = Date.now() + options.intervalMs; ; ) {
      await cgroup.wait(Math.max(0, next - Date.now()), options.signal)
      // In this order: what was killed before the end counts.
      const gone = isGone(container)
      for (const now = readOomCount(cgroupPaths); count < now; count++) yield { type: 'oom', id }
      if (gone) return
      if (Date.now() < next) continue
      yield { type: 'stats', id, data: statsOf(container) }
      next = Math.max(next + options.intervalMs, Date.now())
    }
  } finally {
    cgroup.close()
  }
}

function statsOf({ cgroupPaths, resctrl }: ContainerRecord): CgroupStats {
  const stats = readCgroupStats(cgroupPaths)
  if (resctrl === undefined) return stats
  return { ...stats, intel_rdt: readResctrlStats(resctrl, readHostFacts().resctrl) }
}

async function runningContainer({ root, id }: ContainerOptions): Promise<ContainerRecord> {
  const container = readContainer(absoluteRoot(root), id)
  if (hasProcesses(await readStatus(container))) return container
  throw new OciError('ERR_CONTAINER_STATUS', `container with id ${id} is not running`)
}

/** Without its first process a container may go on, where it has no PID namespace of its own. */
function isGone({ init, cgroupPaths }: ContainerRecord): boolean {
  if (isAlive(init)) return false
  return !cgroupExists(cgroupPaths) || readProcesses(cgroupPaths).length === 0
}
