import { mountFlags, openFlags, resolveKind, treeFlags } from '../program/flags.ts'
import { op, type Step } from '../program/program.ts'
import type { CgroupPlace } from './cgroup-paths.ts'
import { cgroupFile } from './cgroup-paths.ts'
import type { CompileContext } from './context.ts'
import { attributesOf } from './mount-options.ts'
import { type MountEntry, setAttributes } from './mounts.ts'
import { mountLabelOf, withLabel } from './security.ts'

const defaultFlags = mountFlags.NOSUID | mountFlags.NODEV | mountFlags.NOEXEC

/**
 * The cgroup filesystem as the container sees it: on cgroup v2 a mount of it; on v1 a tmpfs with one directory for each
 * hierarchy. With a new cgroup namespace they are fresh mounts, which show the container's cgroup as the root; without
 * one, each is a bind of the container's own cgroup.
 */
export function compileCgroupMount(entry: MountEntry, context: CompileContext): readonly Step[] {
  const isNamespaced = (context.config.linux?.namespaces ?? []).some(({ type }) => type === 'cgroup')
  const unified = context.cgroups.find((place) => place.hierarchy.isUnified)
  if (context.facts.cgroups.mode === 'v2' && unified) return mountUnified(entry, isNamespaced, unified, context)
  const { destination, from, options } = entry
  const data = withLabel('mode=755', mountLabelOf(context))
  const places = context.cgroups.filter((place) => !place.hierarchy.isUnified)
  return [
    op('resolve', { to: 'target', root: 'root', path: destination, kind: resolveKind.ORDINARY, mode: 0o755 }, from),
    op(
      'mount',
      { source: 'tmpfs', target: 'target', path: destination, type: 'tmpfs', flags: defaultFlags, data },
      from,
    ),
    op('resolve', { to: 'hierarchies', root: 'root', path: destination, kind: resolveKind.EXISTING, mode: 0 }, from),
    ...places.flatMap((place) => mountHierarchy(entry, isNamespaced, place)),
    ...(options.flags & mountFlags.RDONLY
      ? [setAttributes('hierarchies', attributesOf(mountFlags.RDONLY), 0, 0, from)]
      : []),
  ]
}

function mountUnified(
  entry: MountEntry,
  isNamespaced: boolean,
  place: CgroupPlace,
  context: CompileContext,
): readonly Step[] {
  const { destination, from, options } = entry
  const target = op(
    'resolve',
    { to: 'target', root: 'root', path: destination, kind: resolveKind.ORDINARY, mode: 0o755 },
    from,
  )
  if (isNamespaced && !context.hasUserNamespace) {
    return [
      target,
      op(
        'mount',
        { source: 'cgroup', target: 'target', path: destination, type: 'cgroup2', flags: options.flags, data: null },
        from,
      ),
    ]
  }
  return [
    ...openCgroup(entry, place),
    target,
    op('move_mount', { from: 'mount', to: 'target', name: null, path: destination }, from),
  ]
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
    : [...openCgroup(entry, place), make, op('move_mount', { from: 'mount', to: 'hierarchies', name, path }, from)]
  return [
    ...made,
    ...links.map((link) => op('symlink', { target: name, at: 'hierarchies', path: link }, from, 'EEXIST')),
  ]
}

/** A mount of the container's own cgroup only. */
function openCgroup({ from, options }: MountEntry, place: CgroupPlace): readonly Step[] {
  return [
    op('open_tree', { to: 'mount', at: null, path: cgroupFile(place), flags: treeFlags.CLONE }, from),
    setAttributes('mount', attributesOf(options.flags | defaultFlags), 0, 0, from),
  ]
}
