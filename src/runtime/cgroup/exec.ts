import type { Door } from '../../host/door.ts'
import { readHostFacts } from '../../host/facts.ts'
import type { CgroupPaths } from './cgroup.ts'

/**
 * The cgroups that one more process of a container can join.
 *
 * They are the container's own, but on cgroup v2 a cgroup that has given controllers to cgroups below it takes no
 * process, and one that was removed takes none either: then it is wherever the first process is now.
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
