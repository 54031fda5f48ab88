import { OciError } from '../errors.ts'
import type { IDMapping, Namespace, NamespaceType, RuntimeConfig } from '../oci/runtime-config.ts'
import { barriers } from '../program/contract.ts'
import { cloneFlags, openFlags } from '../program/flags.ts'
import { type HostStep, op, type Step, undoable } from '../program/program.ts'
import type { CompileContext } from './context.ts'
import { type HostFacts, isAdministrator } from './facts.ts'
import { mapText } from './mount/bind.ts'
import { mapWords } from './unshare.ts'

/** The CLONE_NEW* flag of each type. */
export const namespaceFlags: Readonly<Record<NamespaceType, number>> = {
  user: cloneFlags.NEWUSER,
  ipc: cloneFlags.NEWIPC,
  uts: cloneFlags.NEWUTS,
  network: cloneFlags.NEWNET,
  pid: cloneFlags.NEWPID,
  mount: cloneFlags.NEWNS,
  cgroup: cloneFlags.NEWCGROUP,
  time: cloneFlags.NEWTIME,
}

/** The order in which namespaces are joined: the user namespace gives the capabilities to join the others. */
export const joinOrder: readonly NamespaceType[] = ['user', 'ipc', 'uts', 'network', 'pid', 'mount', 'cgroup', 'time']

export interface NamespacePlan {
  /** Host steps before clone: the namespaces to join, opened. */
  readonly open: readonly HostStep[]
  /** Host steps before clone that concern the children only: the namespaces of PIDs and of time. */
  readonly enter: readonly HostStep[]
  /** Flags for the clone that makes the container's process. */
  readonly cloneFlags: number
  /** Steps of the first child, if namespaces must be joined, or a user namespace made, before others are made; else empty. */
  readonly stage: readonly Step[]
  /** Steps with which the container's process itself joins namespaces. */
  readonly join: readonly Step[]
  /** Steps with which the container's process makes namespaces once it is in its cgroup. */
  readonly unshare: readonly Step[]
}

export function namespacesOf(config: RuntimeConfig): readonly Namespace[] {
  return config.linux?.namespaces ?? []
}

/** True when a namespace of this type is made for the container, not joined by path. */
export function isNew(config: RuntimeConfig, type: NamespaceType): boolean {
  return namespacesOf(config).some((namespace) => namespace.type === type && !namespace.path)
}

/** Decides which namespaces are made, which are joined, and by which process. */
export function planNamespaces({ config, facts }: CompileContext): NamespacePlan {
  const joined = joinOrder.flatMap((type) => {
    const index = namespacesOf(config).findIndex((namespace) => namespace.type === type && namespace.path)
    const path = namespacesOf(config)[index]?.path
    return path === undefined ? [] : [{ type, path, from: `/linux/namespaces/${index}/path` }]
  })
  // A time namespace is made by unshare(2) on the host's side: its offsets are written before a process is in it.
  const made = namespacesOf(config).filter(
    ({ path, type }) => !path && type !== 'time' && !lateNamespaces(config).includes(type),
  )
  const flags = made.reduce((all, { type }) => all | namespaceFlags[type], 0)
  const setns = ({ type, from }: { type: NamespaceType; from: string }): Step =>
    op('setns', { slot: `ns_${type}`, type: namespaceFlags[type] }, from)
  const open = joined.map(({ type, path, from }) =>
    undoable(op('open', { to: `ns_${type}`, at: null, path, flags: openFlags.RDONLY }, from)),
  )
  const byChild = joined.filter(({ type }) => type !== 'pid' && type !== 'time')
  const byHost = joined.filter(({ type }) => type === 'pid' || type === 'time')
  const later = lateNamespaces(config)
  const unshare = later.map((type) => op('unshare', { flags: namespaceFlags[type] }, pointerOf(config, type)))
  const times = makeTimeNamespace(config)
  // Without privilege only the new user namespace gives the right to make the one of time, before the process is there.
  const isStaged = times.length > 0 && isNew(config, 'user') && !isAdministrator(facts)
  if (!joined.some(({ type }) => type === 'user')) {
    return {
      open,
      enter: [...byHost.map(setns), ...(isStaged ? [] : times)].map((step) => undoable(step)),
      cloneFlags: isStaged ? cloneFlags.NEWUSER : flags,
      stage: isStaged ? [...times, ...cloneFromStage(flags & ~cloneFlags.NEWUSER)] : [],
      join: byChild.map(setns),
      unshare,
    }
  }
  const { before, after, own } = joinAround(
    joined.map(({ type }) => type),
    facts,
  )
  const entryOf = (type: NamespaceType): Step[] => joined.filter((entry) => entry.type === type).map(setns)
  return {
    open,
    enter: times.map((step) => undoable(step)),
    cloneFlags: 0,
    stage: [...[...before, 'user' as const, ...after].flatMap(entryOf), ...cloneFromStage(flags)],
    join: own.flatMap(entryOf),
    unshare,
  }
}

/**
 * Orders the namespaces to join around the user namespace: those that the first child joins before it and after it, and
 * those that the container's process joins (`own`). Root joins the others first, since with its capabilities on the host it
 * may join even one that the user namespace does not own; without privilege only the user namespace gives the right. The
 * mount namespace comes last, since paths change their meaning with it.
 */
export function joinAround(
  joined: readonly NamespaceType[],
  facts: Pick<HostFacts, 'euid' | 'capabilities'>,
): Record<'before' | 'after' | 'own', readonly NamespaceType[]> {
  const others = joined.filter((type) => type !== 'user' && type !== 'mount')
  const mount = joined.filter((type) => type === 'mount')
  if (isAdministrator(facts)) return { before: others, after: [], own: mount }
  const isForChildren = (type: NamespaceType): boolean => type === 'pid' || type === 'time'
  const own = [...others.filter((type) => !isForChildren(type)), ...mount]
  return { before: [], after: others.filter(isForChildren), own }
}

/** The last steps of a stage: clones the container's process and tells the host that it exists. */
export function cloneFromStage(flags: number): readonly Step[] {
  return [
    op('clone', { flags: flags | cloneFlags.PARENT, cgroup: null }, '/linux/namespaces'),
    op('sync_send', { barrier: barriers.born }),
  ]
}

/**
 * Makes a time namespace by unshare(2), which puts only later children into it: its offsets can be written only before the
 * first process is in it.
 */
function makeTimeNamespace(config: RuntimeConfig): readonly Step[] {
  if (!isNew(config, 'time')) return []
  const lines = Object.entries(config.linux?.timeOffsets ?? {}).map(
    ([clock, { secs, nanosecs }]) => `${clock} ${secs ?? 0} ${nanosecs ?? 0}\n`,
  )
  const write = op(
    'write_file',
    { at: 'proc', path: 'self/timens_offsets', content: lines.join(''), flags: openFlags.WRONLY, mode: 0 },
    '/linux/timeOffsets',
  )
  return [op('unshare', { flags: cloneFlags.NEWTIME }, '/linux/namespaces'), ...(lines.length === 0 ? [] : [write])]
}

/** Host steps after clone that wait for the stage: until it has cloned the container's process, no step may use its pid. */
export function awaitBirth(hasStage: boolean): readonly HostStep[] {
  return hasStage ? [undoable(op('sync_wait', { barrier: barriers.born }))] : []
}

/**
 * Types of namespaces that the process makes after it is in its cgroups and has its ids: a cgroup namespace is rooted at the
 * cgroups of its maker, and the message queues of an IPC namespace belong to its maker, which in a user namespace must be
 * root there.
 */
function lateNamespaces(config: RuntimeConfig): readonly NamespaceType[] {
  const hasUser = namespacesOf(config).some(({ type }) => type === 'user')
  return (hasUser ? (['ipc', 'cgroup'] as const) : (['cgroup'] as const)).filter((type) => isNew(config, type))
}

function pointerOf(config: RuntimeConfig, type: NamespaceType): string {
  return `/linux/namespaces/${namespacesOf(config).findIndex((namespace) => namespace.type === type)}`
}

/**
 * Host steps after clone that write the id maps of the new user namespace. The kernel accepts any map from a privileged
 * caller and only the caller's own id from another, for whom newuidmap(1) writes the ids that /etc/subuid allows.
 *
 * @throws OciError `ERR_CONFIG_INVALID` a new user namespace without mappings; `ERR_PERMISSION` newuidmap(1) or newgidmap(1)
 * is needed and not installed
 */
export function compileIdMaps({ config, facts }: CompileContext): readonly HostStep[] {
  if (!isNew(config, 'user')) return []
  const uids = config.linux?.uidMappings ?? []
  const gids = config.linux?.gidMappings ?? []
  if (uids.length === 0 || gids.length === 0) {
    throw new OciError('ERR_CONFIG_INVALID', 'a new user namespace needs uidMappings and gidMappings', {
      pointer: uids.length === 0 ? '/linux/uidMappings' : '/linux/gidMappings',
      hint: 'map at least container id 0',
    })
  }
  const isPrivileged = facts.euid === 0
  const deny = !isPrivileged && isOwnId(gids, facts.egid)
  return [
    ...(deny ? [undoable(writeProc('setgroups', 'deny', '/linux/gidMappings'))] : []),
    compileIdMap('gid', gids, isPrivileged || isOwnId(gids, facts.egid), facts.idMapHelpers.gid),
    compileIdMap('uid', uids, isPrivileged || isOwnId(uids, facts.euid), facts.idMapHelpers.uid),
  ]
}

/** True when setgroups(2) is denied in the container's user namespace. */
export function deniesSetgroups({ config, facts, shared }: CompileContext): boolean {
  if (shared?.deniesSetgroups) return true
  return isNew(config, 'user') && facts.euid !== 0 && isOwnId(config.linux?.gidMappings ?? [], facts.egid)
}

function isOwnId(mappings: readonly IDMapping[], id: number): boolean {
  const [only] = mappings
  return mappings.length === 1 && only?.size === 1 && only.hostID === id
}

function compileIdMap(
  kind: 'uid' | 'gid',
  mappings: readonly IDMapping[],
  isDirect: boolean,
  helper: string | undefined,
): HostStep {
  const from = `/linux/${kind}Mappings`
  if (isDirect) return undoable(writeProc(`${kind}_map`, mapText(mappings), from))
  if (helper === undefined) {
    throw new OciError('ERR_PERMISSION', `mapping these ids needs new${kind}map`, {
      pointer: from,
      hint: 'install the package uidmap, or map only your own id',
    })
  }
  return undoable(op('spawn_id_map', { helper, map: mapWords(mappings) }, from))
}

function writeProc(file: string, content: string, from: string): Step {
  return op(
    'write_file',
    { at: null, path: ['/proc/', { register: 'pid' }, `/${file}`], content, flags: openFlags.WRONLY, mode: 0 },
    from,
  )
}
