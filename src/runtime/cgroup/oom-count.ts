import type { CgroupPaths } from './cgroup.ts'
import { readPairs } from './stat-files.ts'

/**
 * How often the cgroup was out of memory: the processes that were killed for it, and where killing is turned off, that
 * they wait for memory now. 0 when the cgroup is gone.
 *
 * @see kernel cgroup-v1/memory.rst "OOM Control"; cgroup-v2.rst "memory.events"
 */
export function readOomCount({ memory, '': unified }: CgroupPaths): number {
  const { oom_kill = 0, under_oom = 0 } =
    memory === undefined ? readPairs(unified, 'memory.events') : readPairs(memory, 'memory.oom_control')
  return Number(oom_kill) + Number(under_oom)
}
