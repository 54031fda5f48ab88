import type { RuntimeConfig } from '../../oci/runtime-config.ts'
import type { Text } from '../../program/program.ts'
import type { CgroupFacts, CgroupHierarchy } from '../facts.ts'
import { hierarchyOf, limitHost } from './controllers.ts'
import { limitsOf } from './limits.ts'
import { type SystemdManager, unitOf } from './systemd.ts'

/** The place of a container's cgroup in one hierarchy. */
export interface CgroupPlace {
  readonly hierarchy: CgroupHierarchy
  /** Below the mount point, beginning with a slash; the last component may be the container's ID. */
  readonly path: Text
  /** The directories above it that must exist, from the top, relative to the mount point. */
  readonly parents: readonly string[]
  /** True when controllers must be enabled in the cgroups above it, which is so only in the unified hierarchy. */
  readonly takesControllers: boolean
}

/**
 * The cgroup of a container in every hierarchy that is not mounted read-only.
 *
 * An absolute `linux.cgroupsPath` is below the mount point. A relative one, or by default the ID, is below the caller's own
 * cgroup. In a unified hierarchy whose controllers are used it is beside that cgroup instead, since a cgroup with processes
 * cannot enable controllers for its children. For systemd it names a unit.
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

/** True when config.json has a limit whose controller is in the unified hierarchy of a hybrid host. */
function hasUnifiedLimits({ linux }: RuntimeConfig, facts: CgroupFacts): boolean {
  if (facts.mode !== 'hybrid' || linux?.resources === undefined) return false
  const isUnified = (controller: string): boolean => hierarchyOf(controller, facts)?.isUnified ?? false
  return limitsOf(linux.resources, { ...limitHost(facts), hasBfq: false }).some(({ controller }) =>
    isUnified(controller),
  )
}

/** The container's cgroup in the hierarchy of a controller, if it has one there. */
export function placeOf(
  controller: string,
  { cgroups, facts }: { readonly cgroups: readonly CgroupPlace[]; readonly facts: { readonly cgroups: CgroupFacts } },
): CgroupPlace | undefined {
  const wanted = hierarchyOf(controller, facts.cgroups)
  return cgroups.find(({ hierarchy }) => hierarchy === wanted)
}

/** The absolute path of a file in the cgroup, by default of the cgroup's directory. */
export function cgroupFile(place: Pick<CgroupPlace, 'hierarchy' | 'path'>, file = ''): Text {
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
