import { OciError } from '../../errors.ts'
import type { CgroupFacts, CgroupHierarchy, HostFacts } from '../facts.ts'
import type { LimitHost } from './limit.ts'

/** Controllers that the unified hierarchy can have, by their names in cgroup v1. @see kernel cgroup-v2.rst "Controllers" */
const unifiedControllers = ['cpu', 'cpuset', 'memory', 'blkio', 'pids', 'hugetlb', 'rdma', 'misc']

/** The name of a controller in cgroup v1. */
const nameInV1 = (controller: string): string => (controller === 'io' ? 'blkio' : controller)

/**
 * The hierarchy with a controller, by either of its names: one of v1 if it is mounted, else the unified one. Undefined if
 * the controller is in a hierarchy of v1 that is not mounted, or if neither can have it.
 */
export function hierarchyOf(controller: string, facts: CgroupFacts): CgroupHierarchy | undefined {
  const name = nameInV1(controller)
  const v1 = facts.hierarchies.find(({ controllers }) => controllers.includes(name))
  if (v1 !== undefined || facts.v1Controllers.includes(name)) return v1
  return facts.mode === 'v2' || canBeUnified(name) ? facts.hierarchies.find(({ isUnified }) => isUnified) : undefined
}

/** True when the unified hierarchy can have a controller. @param controller by either of its names */
export const canBeUnified = (controller: string): boolean => unifiedControllers.includes(nameInV1(controller))

/** The cgroup version of each controller on this host, which decides the files and the form of its limits. */
export function limitHost(facts: CgroupFacts): Omit<LimitHost, 'hasBfq'> {
  const isUnified = facts.mode === 'v2'
  return { versionOf: (controller) => (isUnified || hierarchyOf(controller, facts)?.isUnified ? 2 : 1), isUnified }
}

/** The error for a limit whose controller has no cgroup of the container, with the reason. @param pointer the limit's */
export function noController(controller: string, pointer: string, { cgroups: facts, euid }: HostFacts): OciError {
  const hierarchy = hierarchyOf(controller, facts)
  const unsupported = (why: string, hint: string): OciError =>
    new OciError('ERR_CONFIG_UNSUPPORTED', `there is no cgroup controller "${controller}" ${why}`, { pointer, hint })
  if (hierarchy?.isReadOnly) {
    const hint = 'mount it read-write, or remove the limit'
    return unsupported(`to use: its hierarchy is mounted read-only at "${hierarchy.mountPoint}"`, hint)
  }
  if (facts.mode === 'v2' && hierarchy === undefined) {
    const hint = 'unmount that hierarchy, or remove the limit'
    return unsupported('in the unified hierarchy: one of cgroup v1 has taken it', hint)
  }
  return euid === 0
    ? unsupported('on this host', 'mount the controller, or remove the limit')
    : new OciError(
        'ERR_CONFIG_UNSUPPORTED',
        `cannot set ${controller} limit: container could not join or create cgroup: permission denied`,
        { pointer, hint: 'have root give you a cgroup and name it in linux.cgroupsPath, or boot with cgroup v2' },
      )
}
