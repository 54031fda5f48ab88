import type { NamespaceType, Process, RuntimeConfig } from '../oci/runtime-config.ts'
import { openFlags, prctl, resolveKind } from '../program/flags.ts'
import { type HostStep, op, type Program, type Step, undoable } from '../program/program.ts'
import { joinResctrlGroups, type ResctrlGroups } from './cgroup/intel-rdt.ts'
import { subCgroups } from './cgroup/sub-cgroups.ts'
import { type AttachTarget, compileAttach } from './cgroup/systemd.ts'
import type { CompileContext, CompileOptions } from './context.ts'
import { expectDescriptors } from './descriptors.ts'
import { type HostFacts, isRootOfHost } from './facts.ts'
import { awaitBirth, cloneFromStage, joinAround, joinOrder, namespaceFlags } from './namespaces.ts'
import { compileOomScore } from './oom-score.ts'
import {
  compileExecve,
  compileInheritance,
  compileProcess,
  compileRelayed,
  compileRlimits,
  compileStdio,
  environmentOf,
} from './process.ts'
import { affinityMask, compileAffinity, compileScheduling } from './scheduling.ts'
import { awaitReady, compileSeccompSteps } from './seccomp/steps.ts'
import { compileKeyring, compileLabels } from './security.ts'
import { compilePidFile, compilePidFileName } from './state/files.ts'
import {
  checkTerminal,
  compileConsoleSocket,
  compilePidfd,
  compilePty,
  compileTerminalCheck,
  compileTerminalRelay,
  type TerminalOrigin,
} from './terminal.ts'

/** The running container in which a process is to be started. */
export interface ExecTarget {
  /** Its first process, identified by its start time too: field 22 of /proc/PID/stat. */
  readonly pid: number
  readonly startTime: number
  /** Types of the namespaces that differ from the host's. */
  readonly namespaces: readonly NamespaceType[]
  /** Absolute cgroup directories by controller; that of the unified hierarchy has the key ''. */
  readonly cgroupPaths: Readonly<Record<string, string>>
  readonly resctrl?: ResctrlGroups | undefined
  /** The unit to which systemd attaches the process, where the caller may not move it into the cgroup. */
  readonly unit?: AttachTarget | undefined
}

export type ExecOptions = Pick<
  CompileOptions,
  | 'bundle'
  | 'pidFile'
  | 'consoleSocket'
  | 'pidfdSocket'
  | 'preserveFds'
  | 'noNewKeyring'
  | 'noSubreaper'
  | 'filter'
  | 'warn'
  | 'debug'
> & {
  readonly mode: 'detached' | 'foreground'
  /** Cgroups below the container's own to join instead: `[controller,...:]path`. */
  readonly subCgroups?: readonly string[] | undefined
  /** The place that asks for a terminal, if one is asked for. */
  readonly terminalOrigin: TerminalOrigin
}

const barriers = { joined: 1, ready: 2, go: 3 } as const

/** The file name in `/proc/PID/ns` for each type. */
const namespaceFiles: Readonly<Record<NamespaceType, string>> = {
  user: 'user',
  ipc: 'ipc',
  uts: 'uts',
  network: 'net',
  pid: 'pid',
  mount: 'mnt',
  cgroup: 'cgroup',
  time: 'time',
}

/**
 * Compiles the program that runs another process in a running container. It is set up like the container's first process,
 * but joins the namespaces and cgroups of the container instead of making them.
 *
 * @throws OciError `ERR_CONFIG_INVALID`, `ERR_CONFIG_UNSUPPORTED`, `ERR_USAGE`
 */
export function compileExecProgram(
  process: Process,
  container: ExecTarget,
  options: ExecOptions & { readonly config: RuntimeConfig },
  facts: HostFacts,
): Program {
  const { subCgroups: wanted = [] } = options
  const target = { ...container, cgroupPaths: subCgroups(container.cgroupPaths, wanted) }
  const cgroupOrigin = wanted.length > 0 ? '--cgroup' : '/linux/cgroupsPath'
  const context: ExecContext = {
    ...options,
    cgroupOrigin,
    config: { ...options.config, process },
    root: '',
    stateText: '',
    facts,
    seccomp: compileSeccompSteps({ ...options.config, process }, { ...options, status: 'running' }),
    cgroups: [],
    hasUserNamespace: container.namespaces.includes('user'),
    isOpenToCaller: false,
    hasMountNamespace: container.namespaces.includes('mount'),
  }
  checkTerminal(process, context, context.terminalOrigin)
  const joined = joinOrder.filter((type) => target.namespaces.includes(type))
  const program = {
    host: compileHost(process, target, context, joined),
    stage: context.hasUserNamespace ? compileStage(joined, facts) : [],
    child: compileChild(process, target, context, joined),
  }
  return expectDescriptors(program, options.preserveFds)
}

/** A copy of the program without a command: the front fills in the one that it is called with. */
export function forAnyCommand(program: Program): Program {
  const child = program.child.map((step) => {
    if (step.op === 'find_command') return { ...step, operands: { ...step.operands, name: null } }
    return step.op === 'execve' ? { ...step, operands: { ...step.operands, argv: [] } } : step
  })
  return { ...program, child }
}

interface ExecContext extends CompileContext {
  /** The option or pointer that the cgroups to join come from. */
  readonly cgroupOrigin: string
  readonly terminalOrigin: TerminalOrigin
}

const setns = (type: NamespaceType): Step =>
  op('setns', { slot: `ns_${type}`, type: namespaceFlags[type] }, '/linux/namespaces')

function compileHost(
  process: Process,
  target: ExecTarget,
  context: ExecContext,
  joined: readonly NamespaceType[],
): readonly HostStep[] {
  const isForeground = context.mode === 'foreground'
  const unified = isJoinedByHost(context) || target.unit ? undefined : target.cgroupPaths['']
  const directory = openFlags.PATH | openFlags.DIRECTORY
  const steps: readonly Step[] = [
    op('open', { to: 'init', at: null, path: `/proc/${target.pid}`, flags: directory }),
    op('expect_process', { process: 'init', startTime: target.startTime }),
    ...joined.map((type) =>
      op('open', { to: `ns_${type}`, at: 'init', path: `ns/${namespaceFiles[type]}`, flags: openFlags.RDONLY }),
    ),
    op('open', { to: 'proc', at: null, path: '/proc', flags: directory }),
    ...(unified === undefined
      ? []
      : [
          op(
            'open',
            { to: 'unified', at: null, path: unified, flags: openFlags.RDONLY | openFlags.DIRECTORY },
            context.cgroupOrigin,
          ),
        ]),
    ...(isForeground && !context.noSubreaper ? [op('prctl', { option: prctl.CHILD_SUBREAPER, value: 1 })] : []),
    ...(joined.includes('pid') && !context.hasUserNamespace ? [setns('pid')] : []),
  ]
  return [
    ...compileTerminalCheck(process, context, context.terminalOrigin),
    ...compileInheritance(context),
    ...compileStdio(process, context),
    ...steps.map((step) => undoable(step)),
    ...compileConsoleSocket(context),
    undoable(op('clone', { flags: 0, cgroup: unified === undefined ? null : 'unified' }), op('kill_child', {})),
    ...awaitBirth(context.hasUserNamespace),
    ...joinByHost(target, context),
    ...joinResctrlGroups(target.resctrl, 'ENOENT'),
    ...compileOomScore(process),
    undoable(op('sync_send', { barrier: barriers.joined })),
    ...compileTerminalRelay(context),
    ...context.seccomp.host,
    undoable(awaitReady(barriers.ready, context)),
    ...compileRlimits(process, context).host,
    ...compilePidFile(context),
    ...compilePidfd(context),
    ...compilePidFileName(context),
    undoable(op('sync_send', { barrier: barriers.go })),
    undoable(
      isForeground
        ? op('supervise', { terminal: process.terminal ? 'controller' : null, keep: 0, unheard: 0 }, '/process')
        : op('ready', {}),
    ),
  ]
}

/** Joins the namespaces that must be joined before the process is cloned, which is born into its parent's PID namespace. */
function compileStage(joined: readonly NamespaceType[], facts: HostFacts): readonly Step[] {
  const { before, after } = joinAround(joined, facts)
  return [...[...before, 'user' as const, ...after].map(setns), ...cloneFromStage(0)]
}

function compileChild(
  process: Process,
  target: ExecTarget,
  context: ExecContext,
  joined: readonly NamespaceType[],
): readonly Step[] {
  const env = environmentOf(process)
  const left = context.hasUserNamespace
    ? joinAround(joined, context.facts).own
    : [...joined.filter((type) => type !== 'pid' && type !== 'mount'), ...joined.filter((type) => type === 'mount')]
  return [
    ...compileRelayed(process, context),
    op('sync_wait', { barrier: barriers.joined }),
    ...compileInitialAffinity(process, context),
    ...(context.hasUserNamespace
      ? [op('setgid', { gid: 0 }), op('setuid', { uid: 0 })]
      : isJoinedByHost(context)
        ? []
        : joinCgroups(target, context, false).map(({ undo: _, ...step }) => step)),
    ...left.map(setns),
    ...compileKeyring(process, context),
    op('setsid', {}),
    op('open', { to: 'root', at: null, path: '/', flags: openFlags.PATH | openFlags.DIRECTORY }),
    ...(process.terminal ? compilePty(context) : []),
    op('reopen_null', { root: 'root' }, '', 'ENOENT', 'EACCES'),
    op(
      'resolve',
      { to: 'target', root: 'root', path: process.cwd, kind: resolveKind.DIRECTORY, mode: 0o755 },
      '/process/cwd',
      'EROFS',
      'EACCES',
      'EPERM',
      'ENOTDIR',
    ),
    ...compileScheduling(process, context, process.execCPUAffinity?.final || undefined),
    ...compileLabels(process, context),
    op('close_slots', { first: null, second: null }),
    ...compileProcess(process, env, context),
    op('sync_send', { barrier: barriers.ready }),
    op('sync_wait', { barrier: barriers.go }),
    compileExecve(process, env),
  ]
}

/** Sets the CPUs on which the process runs until it is in its cgroups. */
function compileInitialAffinity({ execCPUAffinity }: Process, { debug }: ExecContext): readonly Step[] {
  if (!execCPUAffinity?.initial) return []
  debug?.(`nsexec: affinity: ${affinityMask(execCPUAffinity.initial)}`)
  return [compileAffinity(execCPUAffinity.initial, 'initial')]
}

/** True when the host moves the process: it cannot itself, or may have no cgroup to be born into. */
const isJoinedByHost = ({ hasUserNamespace, facts }: ExecContext): boolean => hasUserNamespace || !isRootOfHost(facts)

function joinByHost(target: ExecTarget, context: ExecContext): readonly HostStep[] {
  const { unit, cgroupPaths } = target
  if (unit !== undefined) return [undoable(compileAttach(unit, cgroupPaths[''] ?? ''))]
  return isJoinedByHost(context) ? joinCgroups(target, context, true) : []
}

/**
 * Moves the process into the container's v1 cgroups and, if `byHost`, into the unified one, where clone3(2) has not put it.
 * The host moves the process if it cannot move itself. A rootless container may have got no cgroup of its own; the process
 * then stays in the caller's, as the container did.
 */
function joinCgroups(
  { cgroupPaths }: ExecTarget,
  { cgroupOrigin, facts }: ExecContext,
  byHost: boolean,
): readonly HostStep[] {
  const tolerated = !isRootOfHost(facts) && cgroupOrigin !== '--cgroup' ? (['EACCES', 'EPERM', 'ENOENT'] as const) : []
  const directories = Object.entries(cgroupPaths).flatMap(([name, path]) => (byHost || name !== '' ? [path] : []))
  const [file, content] = byHost ? ['cgroup.procs', [{ register: 'pid' }] as const] : ['tasks', '0']
  return [...new Set(directories)].map((path) =>
    undoable(
      op(
        'write_file',
        { at: null, path: `${path}/${file}`, content, flags: openFlags.WRONLY, mode: 0 },
        cgroupOrigin,
        ...tolerated,
      ),
    ),
  )
}
