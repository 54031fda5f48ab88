import type { Door } from '../../host/door.ts'
import { readHostFacts } from '../../host/facts.ts'
import type { CgroupPaths } from './cgroup.ts'

/**
 * The cgroups that one more process of a container can join.
 *
 * These are the container's own, except on cgroup v2, where a cgroup that has delegated controllers to cgroups below
 * it, or was removed, accepts no process: then it is the cgroup that the first process is in now.
 * @see kernel cgroup-v2.rst "No Internal Process Constraint"
 */
export function joinableCgroups(paths: CgroupPaths, initPid: number, door: Door): CgroupPaths {
  const unified = paths['']
  if (unified === undefined || Object.keys(paths).length > 1) return paths
  if (door.readIfThere(`${unified}/cgroup.subtree_control`)?.trim() === '') return paths
  const own = /^0::(.*)$/m.exec(door.readIfThere(`/proc/${initPid}/cgroup`) ?? '')?.[1]
  const mountPoint = readHostFacts(door).cgroups.hierarchies.find(({ isUnified }) => isUnified)?.mountPoint
  return own === undefined || mountPoint === undefined ? paths : { '': `${mountPoint}${own}` }
}
