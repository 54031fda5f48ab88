import type { CgroupPaths } from './cgroup.ts'
import { readPairs } from './stat-files.ts'

/**
 * The number of times that the cgroup was out of memory: processes killed for it, plus one while processes wait for
 * memory because killing is turned off. 0 when the cgroup is gone.
 * @see kernel cgroup-v1/memory.rst "OOM Control"; cgroup-v2.rst "memory.events"
 */
export function readOomCount({ memory, '': unified }: CgroupPaths): number {
  const { oom_kill = 0, under_oom = 0 } =
    memory === undefined ? readPairs(unified, 'memory.events') : readPairs(memory, 'memory.oom_control')
  return Number(oom_kill) + Number(under_oom)
}
