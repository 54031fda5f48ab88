import { OciError } from '../../errors.ts'
import { mountFlags, openFlags, resolveKind, treeFlags } from '../../program/flags.ts'
import { op, type Step, type Text } from '../../program/program.ts'
import { cgroupFile } from '../cgroup/paths.ts'
import type { CompileContext } from '../context.ts'
import { type CgroupHierarchy, isRootOfHost } from '../facts.ts'
import { namespacesOf } from '../namespaces.ts'
import { mountLabelOf, withLabel } from '../security.ts'
import { compilePropagation, compileRecursive, setAttributes } from './attributes.ts'
import { isBind, type MountEntry, mountEntries } from './entries.ts'
import { attributesOf } from './options.ts'

const defaultFlags = mountFlags.NOSUID | mountFlags.NODEV | mountFlags.NOEXEC

/**
 * Steps that mount cgroups in the container: on cgroup v2 one mount; on v1 a tmpfs with one directory for each hierarchy.
 * With a cgroup namespace the root of each is the container's cgroup. Without one, a v1 hierarchy is a bind of the
 * container's own cgroup, but the unified hierarchy is whole, since /proc/self/cgroup has paths relative to its root.
 *
 * @throws OciError `ERR_CONFIG_INVALID` the mount has filesystem options
 */
export function compileCgroupMount(entry: MountEntry, context: CompileContext): readonly Step[] {
  if (entry.options.data !== '') {
    throw new OciError('ERR_CONFIG_INVALID', `a mount of cgroups has no filesystem options: "${entry.options.data}"`, {
      pointer: `${entry.from}/options`,
      hint: 'remove them, or correct the spelling',
    })
  }
  return context.facts.cgroups.mode === 'v2' ? mountUnified(entry, context) : mountHierarchies(entry, context)
}

const isNamespaced = ({ config }: CompileContext): boolean => namespacesOf(config).some(({ type }) => type === 'cgroup')

function mountHierarchies(entry: MountEntry, context: CompileContext): readonly Step[] {
  const { destination, from, options } = entry
  const places = placesOnV1(context)
  return [
    ...mountTmpfs(entry, defaultFlags, context),
    op('resolve', { to: 'hierarchies', root: 'root', path: destination, kind: resolveKind.EXISTING, mode: 0 }, from),
    ...places.flatMap((place) => mountHierarchy(entry, isNamespaced(context), place)),
    ...(options.flags & mountFlags.RDONLY
      ? [setAttributes('hierarchies', attributesOf(mountFlags.RDONLY), 0, 0, from)]
      : []),
    ...compilePropagation(entry, 'hierarchies', false),
    ...compileRecursive(entry, 'hierarchies', false),
  ]
}

/**
 * The cgroups that a v1 mount shows: those made for the container. A rootless container has them only where root has given
 * cgroups away. In the other hierarchies it is in those of its caller, which it sees read-only: the caller may own them.
 */
function placesOnV1({ cgroups, facts }: CompileContext): readonly ShownPlace[] {
  const made = cgroups
    .filter(({ hierarchy }) => !hierarchy.isUnified)
    .map(({ hierarchy, path }) => ({ hierarchy, path, more: 0 }))
  if (isRootOfHost(facts)) return made
  const hasMade = new Set(made.map(({ hierarchy }) => hierarchy.mountPoint))
  const others = facts.cgroups.hierarchies.filter((one) => !one.isUnified && !hasMade.has(one.mountPoint))
  return [...made, ...others.map((hierarchy) => ({ hierarchy, path: hierarchy.own, more: mountFlags.RDONLY }))]
}

interface ShownPlace {
  readonly hierarchy: CgroupHierarchy
  readonly path: Text
  /** MS_* flags beside those of the options. */
  readonly more: number
}

function findTarget({ destination, from }: MountEntry): Step {
  return op('resolve', { to: 'target', root: 'root', path: destination, kind: resolveKind.ORDINARY, mode: 0o755 }, from)
}

function mountTmpfs(entry: MountEntry, flags: number, context: CompileContext): readonly Step[] {
  const { destination, from } = entry
  const data = withLabel('mode=755', mountLabelOf(context))
  return [
    findTarget(entry),
    op('mount', { source: 'tmpfs', target: 'target', path: destination, type: 'tmpfs', flags, data }, from),
  ]
}

function mountUnified(entry: MountEntry, context: CompileContext): readonly Step[] {
  const { destination, from, options } = entry
  if (!isNamespaced(context)) return bindUnified(entry, hierarchyRoot(context), readonlyIfRootless(context))
  const place = context.cgroups.find(({ hierarchy }) => hierarchy.isUnified)
  // The container is in the caller's cgroup, which would be the root of the mount, writable by it (CVE-2023-25809).
  if (place === undefined) return mountTmpfs(entry, defaultFlags | mountFlags.RDONLY, context)
  if (context.hasUserNamespace || !isOverNewMount(entry, context)) return bindUnified(entry, cgroupFile(place), 0)
  const { flags } = options
  return [
    findTarget(entry),
    op('mount', { source: 'cgroup', target: 'target', path: destination, type: 'cgroup2', flags, data: null }, from),
    ...compilePropagation(entry, 'target', true),
    ...compileRecursive(entry, 'target', true),
  ]
}

function hierarchyRoot({ facts }: CompileContext): string {
  return facts.cgroups.hierarchies.find(({ isUnified }) => isUnified)?.mountPoint ?? ''
}

/**
 * MS_RDONLY for a rootless container: its user owns cgroups outside of the container, which a mount of the whole hierarchy
 * would let it change (CVE-2023-25809).
 */
const readonlyIfRootless = ({ facts }: CompileContext): number => (isRootOfHost(facts) ? 0 : mountFlags.RDONLY)

/** Binds `path`. A new mount of cgroup2 without a cgroup namespace would change the mount options of the host. */
function bindUnified(entry: MountEntry, path: Text, more: number): readonly Step[] {
  const { destination, from } = entry
  return [
    ...openCgroup(entry, path, more),
    findTarget(entry),
    op('move_mount', { from: 'mount', to: 'target', name: null, path: destination }, from),
    ...compilePropagation(entry, 'mount', false),
    ...compileRecursive(entry, 'mount', false),
  ]
}

/**
 * True when the destination is on a filesystem that is newly made for the container and is not one of cgroups. On a bind of
 * /sys, or on the rootfs, there may be a mount of cgroups already, on which the kernel refuses another (EBUSY).
 */
function isOverNewMount(entry: MountEntry, context: CompileContext): boolean {
  const entries = mountEntries(context)
  const before = entries.slice(
    0,
    entries.findIndex(({ from }) => from === entry.from),
  )
  const under = before.findLast(({ destination }) => `${entry.destination}/`.startsWith(`${destination}/`))
  return under !== undefined && !isBind(under) && !under.mount.type?.startsWith('cgroup')
}

/**
 * Steps that mount one v1 hierarchy in the tmpfs. The directory can be opened by name, since nobody else writes to the tmpfs
 * yet.
 */
function mountHierarchy(entry: MountEntry, isNamespaced: boolean, place: ShownPlace): readonly Step[] {
  const { destination, from, options } = entry
  const { controllers } = place.hierarchy
  const name = place.hierarchy.mountPoint.split('/').at(-1) ?? controllers.join(',')
  const path = `${destination}/${name}`
  const make = op('mkdir', { at: 'hierarchies', path: name, mode: 0o755 }, from, 'EEXIST')
  const flags = openFlags.PATH | openFlags.DIRECTORY | openFlags.NOFOLLOW
  const links = controllers.length > 1 ? controllers.filter((controller) => controller !== name) : []
  const made = isNamespaced
    ? [
        make,
        op('open', { to: 'target', at: 'hierarchies', path: name, flags }, from),
        op(
          'mount',
          {
            source: 'cgroup',
            target: 'target',
            path,
            type: 'cgroup',
            flags: options.flags | defaultFlags | place.more,
            data: controllers.join(','),
          },
          from,
        ),
      ]
    : [
        ...openCgroup(entry, cgroupFile(place), place.more),
        make,
        op('move_mount', { from: 'mount', to: 'hierarchies', name, path }, from),
      ]
  return [
    ...made,
    ...links.map((link) => op('symlink', { target: name, at: 'hierarchies', path: link }, from, 'EEXIST')),
  ]
}

/** Steps that copy the mount of one cgroup, with the cgroups below it. @param more MS_* flags beside those of the options */
function openCgroup({ from, options }: MountEntry, path: Text, more: number): readonly Step[] {
  return [
    op('open_tree', { to: 'mount', at: null, path, flags: treeFlags.CLONE }, from),
    setAttributes('mount', attributesOf(options.flags | defaultFlags | more), 0, 0, from),
  ]
}
