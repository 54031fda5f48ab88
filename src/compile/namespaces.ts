import { OciError } from '../errors.ts'
import type { IDMapping, Namespace, NamespaceType, RuntimeConfig } from '../oci/runtime-config.ts'
import { barriers } from '../program/contract.ts'
import { cloneFlags, openFlags } from '../program/flags.ts'
import { type HostStep, op, type Step, undoable } from '../program/program.ts'
import type { CompileContext } from './context.ts'
import type { HostFacts } from './facts.ts'
import { mapText } from './mount/bind.ts'
import { mapWords } from './unshare.ts'

/** CLONE_NEW* of each type. */
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

/** The order in which namespaces are joined: the user namespace gives the rights to join the others. */
export const joinOrder: readonly NamespaceType[] = ['user', 'ipc', 'uts', 'network', 'pid', 'mount', 'cgroup', 'time']

export interface NamespacePlan {
  /** Host steps before clone: the namespaces to join, opened. */
  readonly open: readonly HostStep[]
  /** Host steps before clone that concern the children only: the PID namespace. */
  readonly enter: readonly HostStep[]
  /** Flags for the clone that makes the container's process. */
  readonly cloneFlags: number
  /** Steps of the first child, when the namespaces must be joined before the new ones are made; else none. */
  readonly stage: readonly Step[]
  /** Joined by the container's process itself. */
  readonly join: readonly Step[]
  /** Made by the container's process once it is in its cgroup. */
  readonly unshare: readonly Step[]
}

export function namespacesOf(config: RuntimeConfig): readonly Namespace[] {
  return config.linux?.namespaces ?? []
}

/** A namespace of this type that is made for the container, not joined by path. */
export function isNew(config: RuntimeConfig, type: NamespaceType): boolean {
  return namespacesOf(config).some((namespace) => namespace.type === type && !namespace.path)
}

/** Which namespaces are made, which joined, and by which process. */
export function planNamespaces({ config, facts }: CompileContext): NamespacePlan {
  const joined = joinOrder.flatMap((type) => {
    const index = namespacesOf(config).findIndex((namespace) => namespace.type === type && namespace.path)
    const path = namespacesOf(config)[index]?.path
    return path === undefined ? [] : [{ type, path, from: `/linux/namespaces/${index}/path` }]
  })
  // A time namespace takes its offsets before there is a process in it.
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
  if (!joined.some(({ type }) => type === 'user')) {
    return {
      open,
      enter: byHost.map((entry) => undoable(setns(entry))),
      cloneFlags: flags,
      stage: [],
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
    enter: [],
    cloneFlags: 0,
    stage: [...[...before, 'user' as const, ...after].flatMap(entryOf), ...cloneFromStage(flags)],
    join: own.flatMap(entryOf),
    unshare,
  }
}

/**
 * When a user namespace is joined: which others the first child joins before it and after it, and which are left to the
 * container's process. Root may join any of them, even one that the user namespace does not own, as long as it has its
 * rights on the host; without privilege it is the user namespace that gives the right. The mounts come last, since paths
 * mean something else after that.
 */
export function joinAround(
  joined: readonly NamespaceType[],
  { euid }: Pick<HostFacts, 'euid'>,
): Record<'before' | 'after' | 'own', readonly NamespaceType[]> {
  const others = joined.filter((type) => type !== 'user' && type !== 'mount')
  const mount = joined.filter((type) => type === 'mount')
  if (euid === 0) return { before: others, after: [], own: mount }
  const isForChildren = (type: NamespaceType): boolean => type === 'pid' || type === 'time'
  const own = [...others.filter((type) => !isForChildren(type)), ...mount]
  return { before: [], after: others.filter(isForChildren), own }
}

/** The last steps of a stage: the container's process, and word to the host that there is one. */
export function cloneFromStage(flags: number): readonly Step[] {
  return [
    op('clone', { flags: flags | cloneFlags.PARENT, cgroup: null }, '/linux/namespaces'),
    op('sync_send', { barrier: barriers.born }),
  ]
}

/** Host steps after clone: until a stage has made the container's process, no step may use its pid. */
export function awaitBirth(hasStage: boolean): readonly HostStep[] {
  return hasStage ? [undoable(op('sync_wait', { barrier: barriers.born }))] : []
}

/**
 * Namespaces that the process makes when it is what it will be: a cgroup namespace shows the cgroups its maker is in, and
 * the message queues of an IPC namespace belong to its maker, which in a user namespace must be root there.
 */
function lateNamespaces(config: RuntimeConfig): readonly NamespaceType[] {
  const hasUser = namespacesOf(config).some(({ type }) => type === 'user')
  return (hasUser ? (['ipc', 'cgroup'] as const) : (['cgroup'] as const)).filter((type) => isNew(config, type))
}

function pointerOf(config: RuntimeConfig, type: NamespaceType): string {
  return `/linux/namespaces/${namespacesOf(config).findIndex((namespace) => namespace.type === type)}`
}

/**
 * Host steps after clone that give the new user namespace its ids. The kernel takes any map from a privileged caller;
 * without privilege it takes only the caller's own id, and newuidmap(1) writes what /etc/subuid allows.
 *
 * @throws OciError `ERR_CONFIG_INVALID` a new user namespace without mappings
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

/** Whether setgroups(2) is refused in the container's user namespace. */
export function deniesSetgroups({ config, facts }: CompileContext): boolean {
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
