import { OciError } from '../../errors.ts'
import { capabilityNames, mountAttributes, mountFlags, openFlags, resolveKind, treeFlags } from '../../program/flags.ts'
import { type HostStep, op, type Step, undoable } from '../../program/program.ts'
import type { CompileContext } from '../context.ts'
import { mountLabelOf } from '../security.ts'
import { compileTerminal } from '../terminal.ts'
import { setAttributes, setPropagation } from './attributes.ts'
import { bindsDevices, compileDevices } from './devices.ts'
import { cleanPath, type MountEntry, mountEntries, rootfsPath } from './entries.ts'
import { compileLateReadonly, compileMount } from './mounts.ts'
import { compileTemporaryRoot } from './temporary-root.ts'

const propagationFlags: Readonly<Record<string, number>> = {
  private: mountFlags.PRIVATE,
  rprivate: mountFlags.PRIVATE | mountFlags.REC,
  slave: mountFlags.SLAVE,
  rslave: mountFlags.SLAVE | mountFlags.REC,
  shared: mountFlags.SHARED,
  rshared: mountFlags.SHARED | mountFlags.REC,
  unbindable: mountFlags.UNBINDABLE,
  runbindable: mountFlags.UNBINDABLE | mountFlags.REC,
}

export interface RootfsSteps {
  /** Host steps for mounts, which wait for the container's process. */
  readonly host: readonly HostStep[]
  /** Steps before the first mount of cgroups, which can run before the process is in its cgroups. */
  readonly early: readonly Step[]
  readonly late: readonly Step[]
}

/**
 * Steps that make the container's mounts and devices and change the root. The slot `root` is the rootfs throughout: every
 * path inside is resolved against this descriptor, before and after it has become the root.
 *
 * @param hooks steps that run after all mounts are made and before paths are masked or made read-only
 */
export function compileRootfs(context: CompileContext, hooks: readonly Step[]): RootfsSteps {
  const { config } = context
  const entries = mountEntries(context)
  const mounts = entries.map((entry, index) => compileMount(entry, index, context))
  const process = config.process
  const first = entries.findIndex(({ mount }) => mount.type === 'cgroup' || mount.type === 'cgroup2')
  const count = first < 0 ? entries.length : first
  const devices = compileDevices(context)
  const hasEarlyDevices = devicesAreApart(entries.slice(0, count), entries.slice(count), context)
  const early = [
    ...(context.hasMountNamespace ? takeRoot(context) : isBoundByHost(context) ? [] : [openRoot(context)]),
    ...mounts.slice(0, count).flatMap((mount) => mount.child),
    ...(hasEarlyDevices ? devices : []),
  ]
  const late = [
    ...mounts.slice(count).flatMap((mount) => mount.child),
    ...(hasEarlyDevices ? [] : devices),
    ...(process?.terminal ? compileTerminal(context) : []),
    op('reopen_null', { root: 'root' }, '', 'ENOENT', 'EACCES'),
    ...(process ? [makeWorkingDirectory(process.cwd)] : []),
    ...hooks,
    ...seal(entries, context),
    ...changeRoot(context),
  ]
  return { host: mounts.flatMap((mount) => mount.host), early, late }
}

/** True when all devices are made by mknod(2) in a tmpfs on /dev among `made`, and no mount of `later` is in /dev. */
function devicesAreApart(made: readonly MountEntry[], later: readonly MountEntry[], context: CompileContext): boolean {
  const { config } = context
  const isInDev = (path: string): boolean => `${path}/`.startsWith('/dev/')
  return (
    !bindsDevices(context) &&
    made.some(({ mount, destination }) => mount.type === 'tmpfs' && destination === '/dev') &&
    !later.some(({ destination }) => isInDev(destination)) &&
    (config.linux?.devices ?? []).every(({ path }) => isInDev(cleanPath(path)))
  )
}

/** Steps that make paths read-only and mask others. */
function seal(entries: readonly MountEntry[], context: CompileContext): readonly Step[] {
  return [
    ...entries.flatMap(compileLateReadonly),
    ...readonlyPaths(context),
    ...maskedPaths(context),
    ...(context.config.root.readonly ? makeReadonly(context) : []),
  ]
}

/** Makes the root read-only. Without a mount namespace a copy of the rootfs and its mounts is, to spare the host's. */
function makeReadonly({ hasMountNamespace }: CompileContext): readonly Step[] {
  const from = '/root/readonly'
  const flags = treeFlags.CLONE | treeFlags.RECURSIVE
  return [
    ...(hasMountNamespace ? [] : [op('open_tree', { to: 'root', at: 'root', path: '', flags }, from)]),
    setAttributes('root', mountAttributes.RDONLY, 0, 0, from),
  ]
}

function openRoot(context: CompileContext): Step {
  const flags = openFlags.PATH | openFlags.DIRECTORY
  return op('open', { to: 'root', at: null, path: rootfsPath(context), flags }, '/root/path')
}

/** True when the container has the caller's mount namespace, and the caller may mount there. */
const isBoundByHost = ({ hasMountNamespace, facts }: CompileContext): boolean =>
  !hasMountNamespace && ((facts.capabilities >> sysAdmin) & 1n) === 1n

const sysAdmin = BigInt(capabilityNames.indexOf('CAP_SYS_ADMIN'))

/**
 * Host steps that mount the rootfs on itself for a container without a mount namespace, as runc does: its mounts are the host's
 * then, and all of them end with this one, by `umount -l ROOTFS`. This mount is private, so that no mount namespace gets those
 * in it. What fails, and a container that is run to its end, leaves no mount; after `create` it stays, as with runc.
 */
export function compileHostMount(context: CompileContext): readonly HostStep[] {
  if (!isBoundByHost(context)) return []
  const from = '/root/path'
  const path = rootfsPath(context)
  return [
    undoable(op('open', { to: 'place', at: null, path, flags: openFlags.PATH | openFlags.DIRECTORY }, from)),
    undoable(
      op('open_tree', { to: 'root', at: 'place', path: '', flags: treeFlags.CLONE | treeFlags.RECURSIVE }, from),
    ),
    undoable(
      op('move_mount', { from: 'root', to: 'place', name: null, path }, from),
      op('umount', { path }, from, 'EINVAL'),
    ),
    undoable(setPropagation('root', mountFlags.PRIVATE | mountFlags.REC, from)),
  ]
}

function wantedPropagation({ config, noPivot }: CompileContext): number | undefined {
  const name = config.linux?.rootfsPropagation
  if (!name) return undefined
  const flags = Object.hasOwn(propagationFlags, name) ? propagationFlags[name] : undefined
  if (noPivot && flags !== undefined && flags & mountFlags.PRIVATE) {
    throw new OciError('ERR_CONFIG_INVALID', `rootfsPropagation=${name} is not safe without pivot_root`, {
      pointer: '/linux/rootfsPropagation',
      hint: 'use rslave, or leave out --no-pivot',
    })
  }
  if (flags !== undefined) return flags
  throw new OciError('ERR_CONFIG_INVALID', `rootfsPropagation=${name} is not supported`, {
    pointer: '/linux/rootfsPropagation',
    hint: `use one of ${Object.keys(propagationFlags).join(', ')}`,
  })
}

/**
 * Sets the propagation of the host's mounts in the new namespace, then mounts the rootfs on itself, since pivot_root(2)
 * needs a mount. Mounts that stay shared pass the container's mounts in them on to the host. The mount that contains the
 * rootfs never stays shared: pivot_root(2) refuses it, and the mount of the rootfs would appear on the host.
 *
 * @see runc libcontainer/rootfs_linux.go prepareRoot
 */
function takeRoot(context: CompileContext): readonly Step[] {
  const from = '/linux/rootfsPropagation'
  const wanted = wantedPropagation(context)
  const first = beforeBinds(wanted)
  const parent = first & mountFlags.SLAVE ? mountFlags.SLAVE : mountFlags.PRIVATE
  const mayBeShared = (first & mountFlags.REC) === 0 || (first & mountFlags.SHARED) !== 0
  return [
    op('mount', { source: null, target: null, path: '/', type: null, flags: first, data: null }, from),
    op(
      'open',
      { to: 'place', at: null, path: rootfsPath(context), flags: openFlags.PATH | openFlags.DIRECTORY },
      '/root/path',
    ),
    ...(mayBeShared ? [op('set_propagation', { slot: 'place', flags: parent }, from)] : []),
    ...(compileTemporaryRoot(context) ?? [
      op(
        'open_tree',
        { to: 'root', at: 'place', path: '', flags: treeFlags.CLONE | treeFlags.RECURSIVE },
        '/root/path',
      ),
    ]),
    ...(first === wanted ? [] : [setPropagation('root', mountFlags.PRIVATE, from)]),
    op('move_mount', { from: 'root', to: 'place', name: null, path: rootfsPath(context) }, '/root/path'),
  ]
}

/** The propagation until bind mounts are made: an unbindable mount could not be bound, so it becomes that at the end. */
function beforeBinds(wanted: number | undefined): number {
  if (wanted === undefined || wanted === (mountFlags.UNBINDABLE | mountFlags.REC)) {
    return mountFlags.SLAVE | mountFlags.REC
  }
  return wanted === mountFlags.UNBINDABLE ? mountFlags.PRIVATE : wanted
}

function makeWorkingDirectory(cwd: string): Step {
  return op(
    'resolve',
    { to: 'target', root: 'root', path: cwd, kind: resolveKind.DIRECTORY, mode: 0o755 },
    '/process/cwd',
    'EROFS',
    'EACCES',
    'EPERM',
    'ENOTDIR',
  )
}

function readonlyPaths(context: CompileContext): readonly Step[] {
  const paths = context.config.linux?.readonlyPaths ?? []
  if (paths.length > 0) needsMountNamespace('/linux/readonlyPaths', context)
  return paths.map((path, index) =>
    op('readonly_path', { root: 'root', path }, `/linux/readonlyPaths/${index}`, 'ENOENT'),
  )
}

function needsMountNamespace(pointer: string, { hasMountNamespace }: CompileContext): void {
  if (hasMountNamespace) return
  throw new OciError('ERR_CONFIG_INVALID', "restricting paths would change the host's mounts", {
    pointer,
    hint: 'add {"type": "mount"} to /linux/namespaces',
  })
}

/** Steps that mask paths: directories by one read-only tmpfs, files by the container's null device. */
function maskedPaths(context: CompileContext): readonly Step[] {
  const paths = context.config.linux?.maskedPaths ?? []
  const from = '/linux/maskedPaths'
  if (paths.length === 0) return []
  needsMountNamespace(from, context)
  const characterDevice = 0o020000
  const label = mountLabelOf(context)
  return [
    op('resolve', { to: 'null', root: 'root', path: '/dev/null', kind: resolveKind.EXISTING, mode: 0 }, from),
    op('expect_device', { slot: 'null', mode: characterDevice, major: 1, minor: 3 }, from),
    op(
      'new_mount',
      {
        to: 'empty',
        type: 'tmpfs',
        options: label === undefined ? [] : ['context', label],
        attributes: mountAttributes.RDONLY,
      },
      from,
    ),
    ...[...new Set(paths)].map((path) =>
      op(
        'mask',
        { root: 'root', path, file: 'null', directory: 'empty' },
        `${from}/${paths.indexOf(path)}`,
        'ENOENT',
        'ENOTDIR',
      ),
    ),
  ]
}

/**
 * Unmounts the host's /proc and /sys, which a moved root would leave below it. While a whole procfs or sysfs is in the mount
 * namespace, a process that makes a user namespace in the container may mount a new one.
 */
function hideHost(): readonly Step[] {
  return ['/proc', '/sys'].map((path) => op('umount', { path }, '--no-pivot', 'EINVAL'))
}

function changeRoot(context: CompileContext): readonly Step[] {
  if (!context.hasMountNamespace) return [op('chroot', { root: 'root' }, '/root/path')]
  const from = '/linux/rootfsPropagation'
  const flags = wantedPropagation(context) ?? 0
  const setRoot = (to: number): Step =>
    op('mount', { source: null, target: null, path: '/', type: null, flags: to, data: null }, from)
  return [
    // On a mount that is shared with the host, a move or unmount would happen on the host too.
    ...(context.noPivot && flags & mountFlags.SHARED ? [setRoot(mountFlags.SLAVE)] : []),
    ...(context.noPivot ? hideHost() : []),
    op(context.noPivot ? 'move_root' : 'pivot_root', { root: 'root' }, '/root/path'),
    ...(flags & (mountFlags.SHARED | mountFlags.UNBINDABLE) ? [setRoot(flags)] : []),
  ]
}
