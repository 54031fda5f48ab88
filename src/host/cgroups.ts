import type { CgroupFacts, CgroupHierarchy } from '../compile/facts.ts'
import { linesOf, mountPointOf, unescapeOctal } from './mountinfo.ts'

/**
 * The hierarchies that are mounted, joined with the caller's place in each.
 *
 * @param own    /proc/self/cgroup: `ID:CONTROLLERS:PATH` lines
 * @param mounts /proc/self/mountinfo
 * @see man 7 cgroups, man 5 proc_pid_mountinfo
 */
export function parseCgroups(own: string, mounts: string): CgroupFacts {
  const places = new Map(
    linesOf(own).map((line) => {
      const [, controllers = '', ...path] = line.split(':')
      return [controllers, path.join(':')] as const
    }),
  )
  const found = new Map<string, CgroupHierarchy>()
  for (const line of linesOf(mounts)) {
    uncoverOnly(found, mountPointOf(line))
    const hierarchy = line.includes(' - cgroup') ? parseMount(line, places) : undefined
    if (hierarchy && !found.has(hierarchy.controllers.join(','))) found.set(hierarchy.controllers.join(','), hierarchy)
  }
  const hierarchies = [...found.values()]
  const hasUnified = hierarchies.some((hierarchy) => hierarchy.isUnified)
  const hasV1 = hierarchies.some((hierarchy) => !hierarchy.isUnified)
  return { mode: hasV1 ? (hasUnified ? 'hybrid' : 'v1') : hasUnified ? 'v2' : 'none', hierarchies }
}

/** A later mount hides what is at its place and below. */
function uncoverOnly(found: Map<string, CgroupHierarchy>, mountPoint: string): void {
  if (found.size === 0 || mountPoint === '/') return
  for (const [key, hierarchy] of found) {
    if (`${hierarchy.mountPoint}/`.startsWith(`${mountPoint}/`)) found.delete(key)
  }
}

function parseMount(line: string, places: ReadonlyMap<string, string>): CgroupHierarchy | undefined {
  const [before = '', after = ''] = line.split(' - ')
  const [type, , options = ''] = after.split(' ')
  const [, , , root = '/', mountPoint = ''] = before.split(' ').map(unescapeOctal)
  if (type !== 'cgroup' && type !== 'cgroup2') return undefined
  const names = options.split(',')
  const controllers = type === 'cgroup2' ? '' : [...places.keys()].find((key) => key !== '' && isSubset(key, names))
  if (controllers === undefined) return undefined
  const place = places.get(controllers)
  if (place === undefined) return undefined
  return {
    controllers: controllers === '' ? [] : controllers.split(','),
    isUnified: type === 'cgroup2',
    mountPoint,
    own: beneath(root, place),
  }
}

const isSubset = (key: string, names: readonly string[]): boolean =>
  key.split(',').every((controller) => names.includes(controller))

/** The part of `place` below the mounted `root`; `/` when it is somewhere else. */
function beneath(root: string, place: string): string {
  if (root === '/') return place
  if (place === root) return '/'
  return place.startsWith(`${root}/`) ? place.slice(root.length) : '/'
}
