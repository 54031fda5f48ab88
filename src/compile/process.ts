import { OciError } from '../errors.ts'
import type { Process, Rlimit } from '../oci/runtime-config.ts'
import { capabilityNames, hasCapability, prctl, resource } from '../program/flags.ts'
import { type HostStep, op, type Step, undoable } from '../program/program.ts'
import type { CompileContext } from './context.ts'
import { hostID } from './id-mapping.ts'
import { deniesSetgroups, isNew } from './namespaces.ts'

/**
 * Steps of the container's process that set its user, capabilities and directory and find its command; execve comes after
 * the last barrier.
 *
 * @param env the environment of the command, which gets a HOME if it has none
 */
export function compileProcess(process: Process, env: readonly string[], context: CompileContext): readonly Step[] {
  const { uid, gid, umask } = process.user
  const from = '/process/user'
  const capabilities = capabilitySets(process, context)
  return [
    op('umask', { mask: umask ?? 0o022 }, `${from}/umask`),
    op('chown_stdio', { uid }, from, 'EPERM', 'EINVAL', 'EROFS'),
    ...(process.noNewPrivileges
      ? [op('prctl', { option: prctl.NO_NEW_PRIVS, value: 1 }, '/process/noNewPrivileges')]
      : []),
    op('chdir', { path: process.cwd }, '/process/cwd', 'EACCES', 'EPERM'),
    ...(context.seccomp.isEarly ? context.seccomp.child : []),
    op('bounding_set', { keep: capabilities.bounding }, '/process/capabilities/bounding'),
    op('prctl', { option: prctl.KEEPCAPS, value: 1 }, '/process/capabilities'),
    ...compileRlimits(process, context).child,
    ...compileGroups(process, context),
    op('setgid', { gid }, `${from}/gid`),
    op('setuid', { uid }, `${from}/uid`),
    op(
      'capset',
      {
        effective: capabilities.effective,
        permitted: capabilities.permitted,
        inheritable: capabilities.inheritable,
      },
      '/process/capabilities',
    ),
    op('ambient_set', { raise: capabilities.ambient }, '/process/capabilities/ambient'),
    // The change of ids takes that back, without which the caller may neither take the listener of its filter nor exec.
    ...(context.isOpenToCaller ? [op('prctl', { option: prctl.DUMPABLE, value: 1 })] : []),
    op('chdir', { path: process.cwd }, '/process/cwd'),
    ...(hasHome(env) ? [] : [op('default_home', { uid, env }, '/process/env')]),
    op('find_command', { name: commandOf(process), path: searchPath(env) }, '/process/args'),
    ...(context.seccomp.isEarly ? [] : context.seccomp.child),
  ]
}

/** The annotation by which the process keeps the supplementary groups of the caller, as with crun. */
export const keepGroupsAnnotation = 'run.oci.keep_original_groups'

/** Sets the supplementary groups, unless the caller's are kept. Where setgroups(2) is denied, the process keeps the caller's and can have no others. */
function compileGroups({ user }: Process, context: CompileContext): readonly Step[] {
  const from = '/process/user/additionalGids'
  const gids = user.additionalGids ?? []
  if ((context.config.annotations?.[keepGroupsAnnotation] ?? '0') !== '0') return []
  if (!deniesSetgroups(context)) {
    // The namespace that the caller is in, or that a user joins by its path, may deny it, if it has one group alone, and
    // a new one below it inherits that.
    const joinsAsUser = context.hasUserNamespace && context.facts.euid !== 0 && !isNew(context.config, 'user')
    const mayBeDenied = joinsAsUser || context.facts.inUserNamespace
    const tolerated = mayBeDenied && gids.length === 0 ? (['EPERM'] as const) : []
    return [op('setgroups', { groups: new Uint8Array(Uint32Array.from(gids).buffer) }, from, ...tolerated)]
  }
  if (gids.length === 0) return []
  throw new OciError('ERR_CONFIG_UNSUPPORTED', "additional groups cannot be set if only the caller's group is mapped", {
    pointer: from,
    hint: 'remove them, or map more groups, those of /etc/subgid',
  })
}

/**
 * The first host steps. They forbid others to trace a runner of root, unless root itself could not look at its processes then,
 * and close the caller's descriptors, except the first three and those of --preserve-fds. This happens before the container's
 * mounts, since an old kernel needs procfs to list descriptors.
 */
export function compileInheritance({ facts, preserveFds }: CompileContext): readonly HostStep[] {
  const isHidden = facts.euid === 0 && hasCapability(facts.capabilities, 'CAP_SYS_PTRACE')
  return [
    ...(isHidden ? [op('prctl', { option: prctl.DUMPABLE, value: 0 })] : []),
    op('close_from', { first: 3 + (preserveFds ?? 0) }),
  ].map((step) => undoable(step))
}

/**
 * The host step that prepares the caller's descriptors 0 to 2. In the foreground the container gets only pipes, sockets and
 * null devices of the caller; anything else is replaced by a pipe, and the runner relays. A detached container gets the
 * descriptors as they are, as with runc. A directory is refused in both cases.
 *
 * In a user namespace the pipes get the process's ids as owner; without that it could not open them as /dev/stdout.
 */
export function compileStdio(process: Process, { config, mode, facts }: CompileContext): readonly HostStep[] {
  if (process.terminal) return []
  const linux = config.linux ?? {}
  const isMapped = facts.euid === 0 && linux.namespaces?.some(({ type }) => type === 'user')
  const uid = (isMapped ? hostID(linux, process.user.uid, 'uid') : undefined) ?? unchanged
  const gid = (isMapped ? hostID(linux, process.user.gid, 'gid') : undefined) ?? unchanged
  const relay = mode === 'foreground' ? 1 : 0
  return [undoable(op('prepare_stdio', { relay, uid, gid }, standardDescriptors, 'EPERM', 'EINVAL', 'EROFS'))]
}

/** The first step of the container's process: it takes the descriptors that `compileStdio` has prepared. */
export function compileRelayed(process: Process, { mode }: CompileContext): readonly Step[] {
  return process.terminal || mode !== 'foreground' ? [] : [op('take_stdio', {}, standardDescriptors)]
}

/** The origin of these steps, which no field of config.json asks for. */
const standardDescriptors = 'stdio'

/** (uid_t)-1 and (gid_t)-1 */
const unchanged = 0xffff_ffff

export function compileExecve(process: Process, env: readonly string[]): Step {
  return op('execve', { argv: process.args, env }, '/process/args')
}

/**
 * Steps that set resource limits. The host sets them while the container's process waits at its last barrier: that process
 * may need more than its limits allow, and only the host may raise a limit. If the caller has no CAP_SYS_RESOURCE, the
 * process sets them itself, just before it takes its user id.
 */
export function compileRlimits(
  process: Process,
  context: CompileContext,
): { readonly host: readonly HostStep[]; readonly child: readonly Step[] } {
  const steps = (process.rlimits ?? []).map((limit, index) => compileRlimit(limit, `/process/rlimits/${index}`))
  const byHost = hasCapability(context.facts.capabilities, 'CAP_SYS_RESOURCE')
  return byHost ? { host: steps.map((step) => undoable(step)), child: [] } : { host: [], child: steps }
}

function compileRlimit(limit: Rlimit, from: string): Step {
  const number = Object.entries(resource).find(([name]) => name === limit.type)?.[1]
  if (number === undefined) {
    throw new OciError('ERR_CONFIG_INVALID', `"${limit.type}" is not a resource limit`, {
      pointer: `${from}/type`,
      hint: `use one of ${Object.keys(resource).join(', ')}`,
    })
  }
  return op('prlimit', { resource: number, soft: limit.soft, hard: limit.hard }, from)
}

interface CapabilityMasks {
  readonly bounding: bigint
  readonly effective: bigint
  readonly permitted: bigint
  readonly inheritable: bigint
  readonly ambient: bigint
}

/**
 * Converts the five sets to masks; without `capabilities` all are empty. Unknown names are left out, with one warning for all
 * of them, and ambient capabilities that cannot be raised with one for each, as by runc.
 *
 * @throws OciError `ERR_CONFIG_INVALID` an effective capability is not permitted: capset(2) would refuse it
 */
function capabilitySets({ capabilities }: Process, { warn, facts, hasUserNamespace }: CompileContext): CapabilityMasks {
  const warnOf = (problem: string, names: readonly string[]): void => {
    if (names.length > 0) warn?.(`${problem}: [${names.join(' ')}]`)
  }
  const grantable = hasUserNamespace ? ~0n : facts.capabilities
  const bounding = maskOf(capabilities?.bounding)
  const inheritable = maskOf(capabilities?.inheritable)
  const permitted = maskOf(capabilities?.permitted)
  const effective = maskOf(capabilities?.effective)
  const wanted = maskOf(capabilities?.ambient)
  warnOf('ignoring unknown or unavailable capabilities', unknownNames(capabilities))
  const [outside] = namesIn(effective & ~permitted)
  if (outside !== undefined) throw notPermitted(outside)
  const ambient = wanted & inheritable & permitted & grantable
  // With an empty inheritable set no ambient capability can be raised: the warning would be noise.
  const unraised = inheritable === 0n ? [] : namesIn(wanted & ~ambient)
  for (const name of unraised) warn?.(`can't raise ambient capability ${name}: operation not permitted`)
  warnOf('the caller does not have capabilities to give', namesIn((bounding | permitted | inheritable) & ~grantable))
  return { bounding, effective, permitted, inheritable, ambient }
}

/** The bits of the names that are known. */
function maskOf(names: readonly string[] | undefined): bigint {
  return capabilityNames.reduce((mask, name, bit) => (names?.includes(name) ? mask | (1n << BigInt(bit)) : mask), 0n)
}

/** The names in any of the sets that are no capability's, each once, in order. */
function unknownNames(capabilities: Process['capabilities']): readonly string[] {
  const sets: readonly (readonly string[] | undefined)[] = Object.values(capabilities ?? {})
  const names = sets.flatMap((set) => set ?? [])
  return [...new Set(names)].filter((name) => !(capabilityNames as readonly string[]).includes(name)).sort()
}

function notPermitted(name: string): OciError {
  return new OciError('ERR_CONFIG_INVALID', `the effective capability ${name} is not a permitted one`, {
    pointer: '/process/capabilities/effective',
    hint: 'add it to /process/capabilities/permitted, or remove it',
  })
}

function namesIn(mask: bigint): readonly string[] {
  return capabilityNames.filter((_, bit) => (mask >> BigInt(bit)) & 1n)
}

/** The environment of the command: the last value of a name wins, and an empty HOME is left out. */
export function environmentOf(process: Process): readonly string[] {
  const variables = new Map((process.env ?? []).map((entry) => [entry.split('=', 1)[0] ?? '', entry]))
  if (variables.get('HOME') === 'HOME=') variables.delete('HOME')
  return [...variables.values()]
}

function hasHome(env: readonly string[]): boolean {
  return env.some((entry) => entry.startsWith('HOME='))
}

/** The value of PATH; null without one: there is no search then, and the command must be a path. */
function searchPath(env: readonly string[]): string | null {
  return env.find((entry) => entry.startsWith('PATH='))?.slice('PATH='.length) || null
}

function commandOf(process: Process): string {
  const [name] = process.args ?? []
  if (name === undefined || name === '') {
    throw new OciError('ERR_CONFIG_INVALID', 'the process has no command', {
      pointer: '/process/args',
      hint: 'name an executable in the first argument',
    })
  }
  return name
}
