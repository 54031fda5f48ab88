import { OciError } from '../../errors.ts'
import type { RuntimeConfig } from '../../oci/runtime-config.ts'
import type { CompileOptions } from '../context.ts'
import { type HostFacts, isRootOfHost } from '../facts.ts'
import { type CgroupPlace, cgroupPlaces } from './paths.ts'

/**
 * The cgroups that are made for a container. Empty for a rootless container whose config.json has no `cgroupsPath` and no
 * limit: it stays in the caller's cgroups. Otherwise it has one in each hierarchy in which its caller may make one.
 *
 * @throws OciError `ERR_CONFIG_UNSUPPORTED` it has a `cgroupsPath`, and the caller can make a cgroup in no hierarchy
 */
export function usableCgroups(
  config: RuntimeConfig,
  { systemd }: CompileOptions,
  facts: HostFacts,
): readonly CgroupPlace[] {
  const places = cgroupPlaces(config, facts.cgroups, systemd)
  const isPrivileged = systemd !== undefined || isRootOfHost(facts)
  if (isPrivileged && !config.linux?.cgroupsPath) return places
  const { devices: _, ...limits } = config.linux?.resources ?? {}
  const isAsked = config.linux?.cgroupsPath || Object.values(limits).some((value) => value !== undefined)
  if (!isAsked) return []
  const usable = isPrivileged ? places : places.filter((place) => isForUsers(place, facts))
  if (config.linux?.cgroupsPath && usable.length === 0) throw noCgroups(facts)
  return usable
}

/** On a host with hierarchies of v1, root has given each to the user or not; else the one there is says itself what it refuses. */
const isForUsers = ({ hierarchy, parents }: CgroupPlace, { cgroups, mayMakeIn }: HostFacts): boolean =>
  cgroups.mode === 'v2' || mayMakeIn(`${hierarchy.mountPoint}${parents.at(-1) ?? ''}`)

function noCgroups({ cgroups: { hierarchies } }: HostFacts): OciError {
  const readOnly = hierarchies.filter(({ isReadOnly }) => isReadOnly).map(({ mountPoint }) => `"${mountPoint}"`)
  const [why, hint] =
    readOnly.length > 0
      ? [`mounted read-only: ${readOnly.join(', ')}`, 'mount it read-write, or remove the field']
      : ['permission denied', 'have root give you the cgroup above it, boot with cgroup v2, or remove the field']
  return new OciError('ERR_CONFIG_UNSUPPORTED', `unable to apply cgroup configuration: no cgroup can be made: ${why}`, {
    pointer: '/linux/cgroupsPath',
    hint,
  })
}
