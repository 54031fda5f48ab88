import type { RuntimeConfig } from '../../oci/runtime-config.ts'
import type { Text } from '../../program/program.ts'
import type { CgroupFacts, CgroupHierarchy } from '../facts.ts'
import { hierarchyOf, limitHost } from './controllers.ts'
import { limitsOf } from './limits.ts'
import { type SystemdManager, unitOf } from './systemd.ts'

/** Where a container's cgroup is in one hierarchy. */
export interface CgroupPlace {
  readonly hierarchy: CgroupHierarchy
  /** Below the mount point, beginning with a slash; the last component may be the container's ID. */
  readonly path: Text
  /** The directories above it that must be there, from the top, relative to the mount point. */
  readonly parents: readonly string[]
  /** Whether it has files of controllers that must be turned on in the cgroups above it: only in the unified hierarchy. */
  readonly takesControllers: boolean
}

/**
 * The cgroup of a container in every hierarchy that can take one: not where it is mounted read-only.
 *
 * `linux.cgroupsPath`: absolute is below the mount point. Relative or unset (then the ID) is below the caller's own
 * cgroup; where controllers are in the unified hierarchy beside it, since a cgroup with processes cannot give them to its
 * children. For systemd it names a unit.
 */
export function cgroupPlaces(
  config: RuntimeConfig,
  facts: CgroupFacts,
  systemd?: SystemdManager,
): readonly CgroupPlace[] {
  const hierarchies = facts.hierarchies.filter(({ isReadOnly }) => !isReadOnly)
  const takesControllers = ({ isUnified }: CgroupHierarchy): boolean =>
    isUnified && (facts.mode === 'v2' || hasUnifiedLimits(config, facts))
  if (systemd !== undefined) {
    const { path, parents } = unitOf(config, systemd)
    return hierarchies.map((hierarchy) => ({
      hierarchy,
      path,
      parents,
      takesControllers: takesControllers(hierarchy),
    }))
  }
  const wanted = config.linux?.cgroupsPath
  return hierarchies.map((hierarchy) => {
    const isApart = takesControllers(hierarchy)
    const base = wanted?.startsWith('/') ? [] : parts(hierarchy.own)
    if (isApart && !wanted?.startsWith('/')) base.pop()
    const below = wanted === undefined || wanted === '' ? [] : parts(wanted)
    const last = below.pop()
    const above = [...base, ...below]
    return {
      hierarchy,
      path: [`${['', ...above].join('/')}/`, last ?? { register: 'id' as const }],
      parents: above.map((_, index) => `/${above.slice(0, index + 1).join('/')}`),
      takesControllers: isApart,
    }
  })
}

/** Whether a hybrid host's unified hierarchy has a controller that config.json wants something of. */
function hasUnifiedLimits({ linux }: RuntimeConfig, facts: CgroupFacts): boolean {
  if (facts.mode !== 'hybrid' || linux?.resources === undefined) return false
  const isUnified = (controller: string): boolean => hierarchyOf(controller, facts)?.isUnified ?? false
  return limitsOf(linux.resources, { ...limitHost(facts), hasBfq: false }).some(({ controller }) =>
    isUnified(controller),
  )
}

/** Where the files of a controller are, if the container has a cgroup there. */
export function placeOf(
  controller: string,
  { cgroups, facts }: { readonly cgroups: readonly CgroupPlace[]; readonly facts: { readonly cgroups: CgroupFacts } },
): CgroupPlace | undefined {
  const wanted = hierarchyOf(controller, facts.cgroups)
  return cgroups.find(({ hierarchy }) => hierarchy === wanted)
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
