import { OciError } from '../../errors.ts'
import type { RuntimeConfig } from '../../oci/runtime-config.ts'
import type { CompileOptions } from '../context.ts'
import { type HostFacts, isRootOfHost } from '../facts.ts'
import { type CgroupPlace, cgroupPlaces } from './paths.ts'

/**
 * The cgroups that are made for a container. Empty for a rootless container whose config.json has no `cgroupsPath` and no
 * limit: it stays in the caller's cgroups.
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
  const usable = isPrivileged ? places : places.filter(isForUsers)
  if (config.linux?.cgroupsPath) {
    if (usable.length === 0) throw noCgroups(facts)
    return usable
  }
  const { devices: _, ...limits } = config.linux?.resources ?? {}
  const isAsked = Object.values(limits).some((value) => value !== undefined)
  return isPrivileged || isAsked ? usable : []
}

/** True when a user without root may have a cgroup in the hierarchy; those of v1 are root's alone. */
const isForUsers = ({ hierarchy }: CgroupPlace): boolean => hierarchy.isUnified

function noCgroups({ cgroups: { hierarchies } }: HostFacts): OciError {
  const readOnly = hierarchies.filter(({ isReadOnly }) => isReadOnly).map(({ mountPoint }) => `"${mountPoint}"`)
  const [why, hint] =
    readOnly.length > 0
      ? [`mounted read-only: ${readOnly.join(', ')}`, 'mount it read-write, or remove the field']
      : ['a user without root has none on cgroup v1', 'boot with cgroup v2, or remove the field']
  return new OciError('ERR_CONFIG_UNSUPPORTED', `no cgroup can be made: ${why}`, {
    pointer: '/linux/cgroupsPath',
    hint,
  })
}
