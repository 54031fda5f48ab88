import { OciError } from '../../errors.ts'
import type { RuntimeConfig } from '../../oci/runtime-config.ts'
import type { CompileOptions } from '../context.ts'
import { type HostFacts, isRootOfHost } from '../facts.ts'
import { type CgroupPlace, cgroupPlaces } from './paths.ts'

/**
 * Without the right to make cgroups a container runs outside of any, as long as config.json names no place and no limit.
 *
 * @throws OciError `ERR_CONFIG_UNSUPPORTED` it names a place, and no hierarchy can take a cgroup of this caller
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

/** Cgroups of v1 are root's alone. */
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
