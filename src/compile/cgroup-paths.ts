import type { RuntimeConfig } from '../oci/runtime-config.ts'
import type { Text } from '../program/program.ts'
import type { CgroupFacts, CgroupHierarchy } from './facts.ts'
import { type SystemdManager, unitOf } from './systemd.ts'

/** Where a container's cgroup is in one hierarchy. */
export interface CgroupPlace {
  readonly hierarchy: CgroupHierarchy
  /** Below the mount point, beginning with a slash; the last component may be the container's ID. */
  readonly path: Text
  /** The directories above it that must be there, from the top, relative to the mount point. */
  readonly parents: readonly string[]
}

/**
 * The cgroup of a container in every hierarchy.
 *
 * `linux.cgroupsPath`: absolute is below the mount point. Relative or unset (then the ID) is below the caller's own
 * cgroup; on cgroup v2 beside it, since a cgroup with processes cannot give controllers to its children. For systemd it
 * names a unit.
 */
export function cgroupPlaces(
  config: RuntimeConfig,
  facts: CgroupFacts,
  systemd?: SystemdManager,
): readonly CgroupPlace[] {
  if (systemd !== undefined) {
    const { path, parents } = unitOf(config, systemd)
    return facts.hierarchies.map((hierarchy) => ({ hierarchy, path, parents }))
  }
  const wanted = config.linux?.cgroupsPath
  return facts.hierarchies.map((hierarchy) => {
    const base = wanted?.startsWith('/') ? [] : parts(hierarchy.own)
    if (facts.mode === 'v2' && !wanted?.startsWith('/')) base.pop()
    const below = wanted === undefined || wanted === '' ? [] : parts(wanted)
    const last = below.pop()
    const above = [...base, ...below]
    return {
      hierarchy,
      path: [`${['', ...above].join('/')}/`, last ?? { register: 'id' as const }],
      parents: above.map((_, index) => `/${above.slice(0, index + 1).join('/')}`),
    }
  })
}

/** Where the files of a controller are: cgroup v2 has all of them in one hierarchy. */
export function placeOf(
  controller: string,
  { cgroups, facts }: { readonly cgroups: readonly CgroupPlace[]; readonly facts: { readonly cgroups: CgroupFacts } },
): CgroupPlace | undefined {
  const isV2 = facts.cgroups.mode === 'v2'
  return cgroups.find(({ hierarchy }) => (isV2 ? hierarchy.isUnified : hierarchy.controllers.includes(controller)))
}

/** The directory of the cgroup, absolute, and what is in it. */
export function cgroupFile(place: CgroupPlace, file = ''): Text {
  const pieces = typeof place.path === 'string' ? [place.path] : place.path
  return [place.hierarchy.mountPoint, ...pieces, ...(file === '' ? [] : [`/${file}`])]
}

function parts(path: string): string[] {
  const result: string[] = []
  for (const part of path.split('/')) {
    if (part === '..') result.pop()
    else if (part !== '' && part !== '.') result.push(part)
  }
  return result
}
