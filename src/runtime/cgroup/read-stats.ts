import type { CgroupPaths } from './cgroup.ts'
import type { CgroupStats } from './stats.ts'
import { cgroupStatsV1 } from './stats-v1.ts'
import { cgroupStatsV2 } from './stats-v2.ts'

/**
 * Reads a cgroup's usage, from each controller where the container has it. Values that no controller provides are left
 * out.
 */
export function readCgroupStats(paths: CgroupPaths): CgroupStats {
  const { '': unified, ...v1 } = paths
  if (unified === undefined) return cgroupStatsV1(v1)
  if (Object.keys(v1).length === 0) return cgroupStatsV2(unified)
  const inV1 = cgroupStatsV1(v1)
  const isElsewhere = (...controllers: readonly string[]): boolean =>
    controllers.every((name) => v1[name] === undefined)
  const inUnified = cgroupStatsV2(unified)
  return {
    ...inV1,
    ...(isElsewhere('cpu', 'cpuacct') && { cpu: inUnified.cpu }),
    ...(isElsewhere('memory') && { memory: inUnified.memory }),
    ...(isElsewhere('pids') && { pids: inUnified.pids }),
    ...(isElsewhere('blkio') && { blkio: inUnified.blkio }),
    ...(isElsewhere('hugetlb') && { hugetlb: inUnified.hugetlb }),
  }
}
