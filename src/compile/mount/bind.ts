import { OciError } from '../../errors.ts'
import type { IDMapping } from '../../oci/runtime-config.ts'
import { mountBarrier } from '../../program/contract.ts'
import { cloneFlags, mountAttributes, mountFlags, openFlags, resolveKind, treeFlags } from '../../program/flags.ts'
import { type HostStep, op, type Step, undoable } from '../../program/program.ts'
import type { CompileContext } from '../context.ts'
import { isAdministrator } from '../facts.ts'
import { compilePropagation, compileRecursive } from './attributes.ts'
import type { MountEntry } from './entries.ts'
import { parseIDMap } from './id-map-option.ts'
import { attributesOf } from './options.ts'

/** Steps of both sides for one mount. The container's process waits for the host's. */
export interface MountSteps {
  readonly host: readonly HostStep[]
  readonly child: readonly Step[]
}

/** `PROC_SUPER_MAGIC` of linux/magic.h. */
const procMagic = 0x9fa0

/**
 * Steps for one bind mount: copy the source's mount, change its attributes while it is detached, then attach it.
 *
 * In a user namespace the process may not reach the source and may not make an id mapping: there the host enters the
 * container's mount namespace, makes the copy, and sends its descriptor to the process.
 * @see man 2 mount_setattr "ID-mapped mounts"
 */
export function compileBind(entry: MountEntry, index: number, context: CompileContext): MountSteps {
  const { destination, options, from } = entry
  if (options.data !== '') {
    throw new OciError('ERR_CONFIG_INVALID', `a bind mount has no filesystem options: "${options.data}"`, {
      pointer: `${from}/options`,
      hint: 'remove them, or correct the spelling',
    })
  }
  const target = context.linkTargets?.get(entry.from)
  if (target !== undefined) return { host: [], child: copyLink(entry, target) }
  const mapping = idMapping(entry, context)
  const isHandedOver = mapping !== undefined || (context.hasUserNamespace && isAdministrator(context.facts))
  const copy = [
    copySource(entry, mapping, context),
    ...compileBindFlags(entry),
    ...compileRecursive(entry, 'mount', false),
  ]
  const barrier = mountBarrier(index)
  return {
    host: isHandedOver ? handOver(barrier, [...(mapping?.steps ?? []), ...copy, ...mapCopy(mapping)]) : [],
    child: [
      ...(isHandedOver
        ? [op('sync_send', { barrier }, from), op('receive_fd', { to: 'mount' }, `${from}/source`)]
        : copy),
      // Later steps and the container's programs trust /proc: only a procfs may be there (CVE-2019-16884).
      ...(destination === '/proc'
        ? [op('expect_filesystem', { slot: 'mount', magic: procMagic }, `${from}/source`)]
        : []),
      options.links.has('dest-nofollow')
        ? op('resolve', { to: 'target', root: 'root', path: destination, kind: resolveKind.ENTRY, mode: 0 }, from)
        : op('resolve_like', { to: 'target', root: 'root', path: destination, like: 'mount' }, from),
      op('move_mount', { from: 'mount', to: 'target', name: null, path: destination }, from),
      ...compilePropagation(entry, 'mount', false),
    ],
  }
}

function copySource({ mount, options, from }: MountEntry, mapping: IdMap | undefined, context: CompileContext): Step {
  const path = absoluteSource(mount.source, context.bundle, `${from}/source`)
  const isRecursive = (options.flags & mountFlags.REC) !== 0 || mapping?.isRecursive
  const follow = options.links.has('src-nofollow') ? treeFlags.NOFOLLOW : 0
  return op(
    'open_tree',
    { to: 'mount', at: null, path, flags: treeFlags.CLONE | (isRecursive ? treeFlags.RECURSIVE : 0) | follow },
    `${from}/source`,
  )
}

/** Makes a symbolic link at the destination. One that is there must have the same target. */
function copyLink({ destination, from }: MountEntry, target: string): readonly Step[] {
  const end = destination.lastIndexOf('/')
  const [directory, path] = [destination.slice(0, end) || '/', destination.slice(end + 1)]
  return [
    op('resolve', { to: 'target', root: 'root', path: directory, kind: resolveKind.DIRECTORY, mode: 0o755 }, from),
    op('symlink', { target, at: 'target', path }, from, 'EEXIST'),
    op('expect_link', { at: 'target', path, target }, from),
  ]
}

/** Host steps that run `steps` in the container's mount namespace and send the descriptor `mount` to the process. */
function handOver(barrier: number, steps: readonly Step[]): readonly HostStep[] {
  const directory = openFlags.PATH | openFlags.DIRECTORY
  return [
    op('sync_wait', { barrier }),
    op('open', { to: 'home', at: null, path: '.', flags: directory }),
    op('open', { to: 'own_mounts', at: 'proc', path: 'self/ns/mnt', flags: openFlags.RDONLY }),
    op('open', { to: 'mounts', at: 'proc', path: [{ register: 'pid' }, '/ns/mnt'], flags: openFlags.RDONLY }),
    op('setns', { slot: 'mounts', type: cloneFlags.NEWNS }),
    ...steps,
    op('setns', { slot: 'own_mounts', type: cloneFlags.NEWNS }),
    op('fchdir', { slot: 'home' }),
    op('send_fd', { socket: null, slot: 'mount', name: 'mount' }),
  ].map((step) => undoable(step))
}

interface IdMap {
  /** Steps that fill the slot `userns` with a user namespace of this mapping. */
  readonly steps: readonly Step[]
  readonly slot: string
  readonly isRecursive: boolean
  /** The place in config.json that it comes from. */
  readonly origin: string
}

/** The id mapping of a mount: its own, or that of its option, or with only the option that of the user namespace. */
function idMapping(
  { mount, options, from }: MountEntry,
  { config, hasUserNamespace }: CompileContext,
): IdMap | undefined {
  const isRecursive = options.idMapping === 'ridmap'
  const given = [mount.uidMappings ?? [], mount.gidMappings ?? []] as const
  const hasGiven = given.some((mappings) => mappings.length > 0)
  const origin = hasGiven ? `${from}/uidMappings` : `${from}/options`
  const own = hasGiven || options.idMap === undefined ? given : parseIDMap(options.idMap, config.linux, origin)
  const isOwn = own.some((mappings) => mappings.length > 0)
  if (!isOwn && options.idMapping === undefined) return undefined
  const [uids, gids] = isOwn ? own : [config.linux?.uidMappings ?? [], config.linux?.gidMappings ?? []]
  const joined = (config.linux?.namespaces ?? []).find(({ type, path }) => type === 'user' && path)
  if (!isOwn && joined) return { steps: [], slot: 'ns_user', isRecursive, origin }
  if (uids.length === 0 || gids.length === 0 || (!isOwn && !hasUserNamespace)) {
    throw new OciError('ERR_CONFIG_INVALID', 'an ID-mapped mount needs uidMappings and gidMappings', {
      pointer: hasGiven ? from : origin,
      hint: 'give the mount both, or the container a user namespace',
    })
  }
  const make = op('make_userns', { to: 'userns', uidMap: mapText(uids), gidMap: mapText(gids) }, origin)
  return { steps: [make], slot: 'userns', isRecursive, origin }
}

function mapCopy(mapping: IdMap | undefined): readonly Step[] {
  if (mapping === undefined) return []
  return [
    op(
      'mount_setattr',
      {
        slot: 'mount',
        flags: mapping.isRecursive ? treeFlags.RECURSIVE : 0,
        set: mountAttributes.IDMAP,
        clear: 0,
        propagation: 0,
        userns: mapping.slot,
      },
      mapping.origin,
    ),
  ]
}

/** Formats mappings as in /proc/PID/uid_map. */
export function mapText(mappings: readonly IDMapping[]): string {
  return mappings.map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}\n`).join('')
}

/**
 * Steps that set the flags of a bind mount. Without an option for a flag, it keeps the flags of its source. With one, flags
 * without an option are cleared, unless the kernel has locked them in a user namespace, mount_namespaces(7).
 */
function compileBindFlags({ options, from }: MountEntry): readonly Step[] {
  const asked = options.flags & ~(mountFlags.BIND | mountFlags.REC | mountFlags.REMOUNT)
  if (asked === 0 && options.cleared === 0) return []
  const set = attributesOf(asked)
  const lockable = mountAttributes.RDONLY | mountAttributes.NOSUID | mountAttributes.NODEV | mountAttributes.NOEXEC
  const never = mountAttributes.NOSYMFOLLOW & ~set
  const atime = (asked & atimeFlags) === 0 ? 0 : mountAttributes.ATIME | (mountAttributes.NODIRATIME & ~set)
  return [
    op(
      'bind_flags',
      {
        slot: 'mount',
        set,
        clear: (lockable & ~set) | never | atime,
        atLeast: (attributesOf(options.cleared) & lockable & ~set) | never | atime,
      },
      `${from}/options`,
    ),
  ]
}

/** Flags for access times: without any of them, mount(2) "MS_REMOUNT" keeps the current ones. */
const atimeFlags = mountFlags.NOATIME | mountFlags.NODIRATIME | mountFlags.RELATIME | mountFlags.STRICTATIME

/** The source of a bind mount, absolute; a relative one is in the bundle. @throws OciError `ERR_CONFIG_INVALID` it is empty */
export function absoluteSource(source: string | undefined, bundle: string, pointer: string): string {
  if (source === undefined || source === '') {
    throw new OciError('ERR_CONFIG_INVALID', 'a bind mount needs a source', {
      pointer,
      hint: 'name a file or directory',
    })
  }
  return source.startsWith('/') ? source : `${bundle}/${source}`
}
