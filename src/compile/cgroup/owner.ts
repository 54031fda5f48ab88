import type { Mount, RuntimeConfig } from '../../oci/runtime-config.ts'
import { op, type Step } from '../../program/program.ts'
import type { CompileContext } from '../context.ts'
import { hostID } from '../id-mapping.ts'
import { isNew } from '../namespaces.ts'
import { type CgroupPlace, cgroupFile } from './paths.ts'

/** The files that are delegated with a cgroup. @see kernel cgroup-v2.rst "Delegation", /sys/kernel/cgroup/delegate */
const delegatedFiles = [
  'cgroup.procs',
  'cgroup.threads',
  'cgroup.subtree_control',
  'memory.oom.group',
  'memory.reclaim',
] as const

/**
 * The host's uid that is to own the container's cgroup. Undefined unless the container has a new cgroup namespace and a
 * writable mount of cgroups, and if its user is not mapped.
 *
 * @see runc libcontainer/specconv "CreateCgroupConfig", OwnerUID
 */
export function cgroupOwner(config: RuntimeConfig): number | undefined {
  const { process, linux = {}, mounts = [] } = config
  if (process === undefined || !isNew(config, 'cgroup') || !mounts.some(isWritableCgroup)) return undefined
  return hostID(linux, process.user.uid, 'uid')
}

const isWritableCgroup = ({ source, destination, options = [] }: Mount): boolean =>
  source === 'cgroup' && /^\/+sys\/+fs\/+cgroup\/*$/.test(destination) && !options.includes('ro')

/** Host steps that give the cgroup to the container's user, who may then make cgroups below it and move processes there. */
export function compileDelegation(place: CgroupPlace, { config, facts }: CompileContext): readonly Step[] {
  const uid = cgroupOwner(config)
  if (facts.cgroups.mode !== 'v2' || facts.euid !== 0 || !uid) return []
  const give = (file = ''): Step =>
    op('chown', { at: null, path: cgroupFile(place, file), uid, gid: unchanged }, '/linux/uidMappings', 'ENOENT')
  return [give(), ...delegatedFiles.map(give)]
}

/** (gid_t)-1 */
const unchanged = 0xffff_ffff
