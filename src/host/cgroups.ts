import type { CgroupFacts, CgroupHierarchy } from '../compile/facts.ts'
import { linesOf, unescapeOctal, visibleMounts } from './mountinfo.ts'

/** The directory in which the hierarchies are usually mounted, or at which the unified one is. */
const usualPlace = '/sys/fs/cgroup'

/**
 * Finds the cgroup hierarchies for containers, with the caller's own cgroup in each.
 *
 * If the unified hierarchy is at /sys/fs/cgroup, it is the only one, whatever of cgroup v1 is mounted elsewhere. Otherwise
 * each mounted hierarchy is listed once; of several mounts a writable one is preferred, then one below /sys/fs/cgroup.
 *
 * @param own    /proc/self/cgroup: `ID:CONTROLLERS:PATH` lines
 * @param mounts /proc/self/mountinfo
 * @see man 7 cgroups, man 5 proc_pid_mountinfo; opencontainers/cgroups IsCgroup2UnifiedMode
 */
export function parseCgroups(own: string, mounts: string): CgroupFacts {
  const places = ownPlaces(own)
  const v1Controllers = [...places.keys()].filter((key) => key !== '').flatMap((key) => key.split(','))
  const found = visibleMounts(mounts, (line) => line.includes(' - cgroup')).flatMap((line) => parseMount(line, places))
  const atUsualPlace = found.find(({ isUnified, mountPoint }) => isUnified && mountPoint === usualPlace)
  if (atUsualPlace) return { mode: 'v2', hierarchies: [atUsualPlace], v1Controllers }
  const hierarchies = onceEach(found)
  const hasUnified = hierarchies.some((hierarchy) => hierarchy.isUnified)
  const hasV1 = hierarchies.some((hierarchy) => !hierarchy.isUnified)
  return { mode: hasV1 ? (hasUnified ? 'hybrid' : 'v1') : hasUnified ? 'v2' : 'none', hierarchies, v1Controllers }
}

/** The caller's own cgroup in each hierarchy. The key is the list of its controllers, which is '' for the unified one. */
function ownPlaces(own: string): ReadonlyMap<string, string> {
  return new Map(
    linesOf(own).map((line) => {
      const [, controllers = '', ...path] = line.split(':')
      return [controllers, path.join(':')] as const
    }),
  )
}

/** The preferred mount of each hierarchy, in the order of the first mounts. */
function onceEach(mounts: readonly CgroupHierarchy[]): readonly CgroupHierarchy[] {
  const best = new Map<string, CgroupHierarchy>()
  for (const mount of mounts) {
    const key = mount.controllers.join(',')
    const other = best.get(key)
    if (other === undefined || preference(mount) > preference(other)) best.set(key, mount)
  }
  return [...best.values()]
}

function preference({ isReadOnly, mountPoint }: CgroupHierarchy): number {
  return (isReadOnly ? 0 : 2) + (mountPoint.startsWith(`${usualPlace}/`) ? 1 : 0)
}

function parseMount(line: string, places: ReadonlyMap<string, string>): readonly CgroupHierarchy[] {
  const [before = '', after = ''] = line.split(' - ')
  const [type, , superOptions = ''] = after.split(' ')
  const [, , , root = '/', mountPoint = '', options = ''] = before.split(' ')
  if (type !== 'cgroup' && type !== 'cgroup2') return []
  const names = superOptions.split(',')
  const controllers = type === 'cgroup2' ? '' : controllersOf(names, places)
  const place = controllers === undefined ? undefined : places.get(controllers)
  if (controllers === undefined || place === undefined) return []
  return [
    {
      controllers: controllers === '' ? [] : controllers.split(','),
      isUnified: type === 'cgroup2',
      isReadOnly: options.split(',').includes('ro') || names.includes('ro'),
      mountPoint: unescapeOctal(mountPoint),
      own: beneath(unescapeOctal(root), place),
    },
  ]
}

/** The hierarchy's key: that of which all controllers are among the mount's options. */
function controllersOf(names: readonly string[], places: ReadonlyMap<string, string>): string | undefined {
  for (const key of places.keys()) if (key !== '' && isSubset(key, names)) return key
  return undefined
}

const isSubset = (key: string, names: readonly string[]): boolean =>
  names.includes(key) || key.split(',').every((controller) => names.includes(controller))

/** The part of `place` below the mounted `root`; `/` if `place` is not below it. */
function beneath(root: string, place: string): string {
  if (root === '/') return place
  if (place === root) return '/'
  return place.startsWith(`${root}/`) ? place.slice(root.length) : '/'
}
