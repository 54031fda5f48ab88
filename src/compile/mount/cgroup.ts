import { OciError } from '../../errors.ts'
import { mountFlags, openFlags, resolveKind, treeFlags } from '../../program/flags.ts'
import { op, type Step, type Text } from '../../program/program.ts'
import { type CgroupPlace, cgroupFile } from '../cgroup/paths.ts'
import type { CompileContext } from '../context.ts'
import { isRootOfHost } from '../facts.ts'
import { namespacesOf } from '../namespaces.ts'
import { mountLabelOf, withLabel } from '../security.ts'
import { compilePropagation, compileRecursive, setAttributes } from './attributes.ts'
import { isBind, type MountEntry, mountEntries } from './entries.ts'
import { attributesOf } from './options.ts'

const defaultFlags = mountFlags.NOSUID | mountFlags.NODEV | mountFlags.NOEXEC

/**
 * The cgroup filesystem as the container sees it: on cgroup v2 one mount; on v1 a tmpfs with one directory for each
 * hierarchy. With a cgroup namespace these show the container's cgroup as the root. Without one, a hierarchy of v1 is a bind
 * of the container's own cgroup, and the unified one is there as a whole, as /proc/self/cgroup has paths in it.
 *
 * @throws OciError `ERR_CONFIG_INVALID` options that are for the file system
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
  const places = context.cgroups.filter((place) => !place.hierarchy.isUnified)
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
  if (!isNamespaced(context)) return bindUnified(entry, hierarchyRoot(context), lestItBeWritten(context))
  const place = context.cgroups.find(({ hierarchy }) => hierarchy.isUnified)
  // Its root would be the cgroup of the caller, where the container is then (CVE-2023-25809).
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

/** Whoever is not root of the host owns cgroups outside of the container, its own among them (CVE-2023-25809). */
const lestItBeWritten = ({ facts }: CompileContext): number => (isRootOfHost(facts) ? 0 : mountFlags.RDONLY)

/** A bind, and no mount of cgroup2, which without a cgroup namespace would change the options that the host has for it. */
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
 * Whether what is at the place is known to be no mount of cgroups, on which the kernel refuses one more (EBUSY): that comes
 * with a bind of /sys, or with the rootfs.
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

/** In a tmpfs of the container's own, where nobody else makes anything yet. */
function mountHierarchy(entry: MountEntry, isNamespaced: boolean, place: CgroupPlace): readonly Step[] {
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
            flags: options.flags | defaultFlags,
            data: controllers.join(','),
          },
          from,
        ),
      ]
    : [
        ...openCgroup(entry, cgroupFile(place), 0),
        make,
        op('move_mount', { from: 'mount', to: 'hierarchies', name, path }, from),
      ]
  return [
    ...made,
    ...links.map((link) => op('symlink', { target: name, at: 'hierarchies', path: link }, from, 'EEXIST')),
  ]
}

/** A copy of the mount of one cgroup and those below it. @param more flags beside those that are asked for */
function openCgroup({ from, options }: MountEntry, path: Text, more: number): readonly Step[] {
  return [
    op('open_tree', { to: 'mount', at: null, path, flags: treeFlags.CLONE }, from),
    setAttributes('mount', attributesOf(options.flags | defaultFlags | more), 0, 0, from),
  ]
}
