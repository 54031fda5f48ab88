import { readFileSync } from 'node:fs'
import { isSystemError } from '../errors.ts'
import { readHostFacts } from '../host/facts.ts'
import { type CgroupPaths, readControl } from './cgroup.ts'

/** What `joinableCgroups` reads to choose: as long as these say the same, the choice is the same. */
export function filesOfChoice(paths: CgroupPaths, initPid: number): readonly string[] {
  const unified = paths['']
  if (unified === undefined || Object.keys(paths).length > 1) return []
  return [`${unified}/cgroup.subtree_control`, `/proc/${initPid}/cgroup`]
}

/**
 * The cgroups that one more process of a container can join.
 *
 * They are the container's own, but on cgroup v2 a cgroup that has given controllers to cgroups below it takes no
 * process, and one that was removed takes none either: then it is wherever the first process is now.
 * @see kernel cgroup-v2.rst "No Internal Process Constraint"
 */
export function joinableCgroups(paths: CgroupPaths, initPid: number): CgroupPaths {
  const unified = paths['']
  if (unified === undefined || Object.keys(paths).length > 1) return paths
  if (readControl(unified, 'cgroup.subtree_control') === '') return paths
  const own = /^0::(.*)$/m.exec(readProcessCgroups(initPid))?.[1]
  const mountPoint = readHostFacts().cgroups.hierarchies.find(({ isUnified }) => isUnified)?.mountPoint
  return own === undefined || mountPoint === undefined ? paths : { '': `${mountPoint}${own}` }
}

function readProcessCgroups(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cgroup`, 'utf8')
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ESRCH')) return ''
    throw error
  }
}
