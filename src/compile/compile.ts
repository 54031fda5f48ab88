import { OciError } from '../errors.ts'
import type { Process, RuntimeConfig } from '../oci/runtime-config.ts'
import { barriers } from '../program/contract.ts'
import { openFlags, prctl, treeFlags } from '../program/flags.ts'
import { type HostStep, op, type Program, type Step, undoable } from '../program/program.ts'
import {
  compileCgroups,
  compileCloneTarget,
  compileJoin,
  compileKill,
  compileOomReport,
  compileUnit,
  mayMountMeanwhile,
} from './cgroup/cgroups.ts'
import { compileResctrlGroups, joinResctrlGroups, resctrlGroups } from './cgroup/intel-rdt.ts'
import { usableCgroups } from './cgroup/usable.ts'
import type { CompileContext, CompileOptions } from './context.ts'
import { expectDescriptors } from './descriptors.ts'
import { type HostFacts, isRootOfHost } from './facts.ts'
import { containerHooks, endWithParent, hostHooks, runningHooks } from './hooks.ts'
import { compileHostMount, compileRootfs, type RootfsSteps } from './mount/rootfs.ts'
import { compileNames } from './names.ts'
import { awaitBirth, compileIdMaps, isNew, type NamespacePlan, namespacesOf, planNamespaces } from './namespaces.ts'
import { compileNetDevices } from './net-devices.ts'
import { compileSharedNetwork, openForNetworkProgram } from './network.ts'
import { compileOomScore } from './oom-score.ts'
import { warnOfOtherPlatforms } from './other-platforms.ts'
import {
  compileExecve,
  compileInheritance,
  compileProcess,
  compileRelayed,
  compileRlimits,
  compileStdio,
  environmentOf,
} from './process.ts'
import { compileScheduling } from './scheduling.ts'
import { awaitReady, compileSeccompSteps, noSeccomp } from './seccomp/steps.ts'
import { compileKeyring, compileLabels } from './security.ts'
import {
  compileFinalState,
  compileFinalStateName,
  compilePidFile,
  compilePidFileName,
  compilePidFileRoom,
  compileStartFifo,
  compileStateDirectory,
} from './state/files.ts'
import { compileHookOutput } from './state/hook-output.ts'
import { compileHooks } from './state/hooks.ts'
import { compileNotifyRelay, compileNotifySocket } from './state/notify.ts'
import { compileSysctl, compileSysctlChecks } from './sysctl.ts'
import {
  checkTerminal,
  compileConsoleSocket,
  compilePidfd,
  compileTerminalCheck,
  compileTerminalRelay,
} from './terminal.ts'

/** Intermediate results that the host's steps and the container's steps are both made from. */
interface Parts {
  readonly plan: NamespacePlan
  readonly rootfs: RootfsSteps
  /** True when the process makes its mounts while the host makes the cgroups and writes limits, so that two CPUs are used. */
  readonly mountsMeanwhile: boolean
}

/**
 * Turns config.json into the program that creates (or runs) the container.
 *
 * @throws OciError `ERR_CONFIG_INVALID` or `ERR_CONFIG_UNSUPPORTED`, each with the pointer of the field
 */
export function compile(config: RuntimeConfig, options: CompileOptions, facts: HostFacts): Program {
  const process = config.process
  if (!process) {
    throw new OciError('ERR_CONFIG_INVALID', 'config.json has no process to run', {
      pointer: '/process',
      hint: 'add /process',
    })
  }
  const context: CompileContext = {
    ...compileContext(config, options, facts),
    seccomp: compileSeccompSteps(config, { ...options, status: 'creating' }),
  }
  warnOfOtherPlatforms(config, options.warn)
  warnOfUnkillable(context)
  checkTerminal(process, context)
  const plan = planNamespaces(context)
  const rootfs = compileRootfs(context, [...containerHooks(context), ...openOwnDescriptors(context)])
  const parts = { plan, rootfs, mountsMeanwhile: rootfs.host.length === 0 && mayMountMeanwhile(context) }
  const child = compileChild(process, context, parts)
  const program = { host: compileHost(process, context, parts), stage: plan.stage, child }
  return expectDescriptors(program, options.preserveFds)
}

/** Warns of a container whose processes nothing holds together, in runc's words. */
function warnOfUnkillable({ config, cgroups, facts, warn }: CompileContext): void {
  if (cgroups.length > 0 || isRootOfHost(facts) || namespacesOf(config).some(({ type }) => type === 'pid')) return
  warn?.(
    "Creating a rootless container with no cgroup and no private pid namespace. Such configuration is strongly discouraged (as it is impossible to properly kill all container's processes)",
  )
}

/** Builds the context that the compiler's parts share, without seccomp steps, which differ by process. */
export function compileContext(config: RuntimeConfig, options: CompileOptions, facts: HostFacts): CompileContext {
  return {
    ...options,
    config,
    facts,
    seccomp: noSeccomp,
    cgroups: usableCgroups(config, options, facts),
    hasUserNamespace: namespacesOf(config).some(({ type }) => type === 'user'),
    hasMountNamespace: namespacesOf(config).some(({ type }) => type === 'mount'),
    isOpenToCaller: facts.euid !== 0 && isNew(config, 'user') && isNew(config, 'pid'),
  }
}

function compileHost(process: Process, context: CompileContext, parts: Parts): readonly HostStep[] {
  const { plan, rootfs, mountsMeanwhile } = parts
  const cgroups = compileCgroups(context)
  const maps = compileIdMaps(context)
  const join = compileJoin(context)
  const target = compileCloneTarget(context)
  const isForeground = context.mode === 'foreground'
  // No process may be left in the cgroups when they are removed.
  const end = [op('kill_child', {}), ...compileOomReport(context), ...compileKill(context)]
  const makesCgroupsLate = mountsMeanwhile && context.cgroups.some(({ hierarchy }) => !hierarchy.isUnified)
  return [
    ...compileTerminalCheck(process, context),
    ...compileInheritance(context),
    ...compileStdio(process, context),
    ...compileHookOutput(context),
    ...compileStateDirectory(context),
    ...compileNotifySocket(context),
    ...cgroups.early,
    ...(mountsMeanwhile ? [] : cgroups.late),
    ...compileResctrlGroups(context),
    ...compileStartFifo(context),
    ...compileConsoleSocket(context),
    ...plan.open,
    ...compileSharedNetwork(context),
    ...compileSysctlChecks(context),
    undoable(op('open', { to: 'proc', at: null, path: '/proc', flags: openFlags.PATH | openFlags.DIRECTORY })),
    ...target.steps,
    ...compileHostMount(context),
    ...(isForeground && !context.noSubreaper
      ? [undoable(op('prctl', { option: prctl.CHILD_SUBREAPER, value: 1 }))]
      : []),
    ...plan.enter,
    undoable(
      op('clone', { flags: plan.cloneFlags, cgroup: target.slot }, '/linux/namespaces'),
      ...(makesCgroupsLate ? [op('kill_child', {})] : end),
    ),
    ...(mountsMeanwhile ? cgroups.late : []),
    ...awaitBirth(plan.stage.length > 0),
    ...openForNetworkProgram(context),
    ...maps,
    ...join.host,
    ...compileUnit(context),
    ...joinResctrlGroups(resctrlGroups(context.config, context.facts)),
    ...compileOomScore(process),
    ...compileNetDevices(context),
    undoable(op('sync_send', { barrier: barriers.mapped }), ...(makesCgroupsLate ? end : [])),
    ...compileFinalState(context),
    ...compilePidFile(context),
    ...rootfs.host,
    ...compileTerminalRelay(context),
    ...hostHooks(context),
    ...context.seccomp.host,
    undoable(awaitReady(barriers.ready, context)),
    ...compileRlimits(process, context).host,
    ...compileFinalStateName(context),
    ...compilePidfd(context),
    ...compilePidFileRoom(context),
    undoable(op('sync_send', { barrier: barriers.go })),
    ...runningHooks(context),
    ...compilePidFileName(context),
    ...compileNotifyRelay(context),
    undoable(isForeground ? supervise(process, context) : op('ready', {})),
  ]
}

/**
 * Opens the host's /proc/self/fd: the process that waits for `start` opens the FIFO through it, since the container's procfs
 * may be anything. It is cloned as a mount of its own, from which ".." does not lead to the rest of the host. A container
 * that joins a mount namespace opens the directory itself.
 */
function openOwnDescriptors({ config, mode }: CompileContext): readonly Step[] {
  if (mode !== 'create') return []
  return isNew(config, 'mount')
    ? [op('open_tree', { to: 'fds', at: null, path: '/proc/self/fd', flags: treeFlags.CLONE })]
    : [op('open', { to: 'fds', at: 'proc', path: 'self/fd', flags: openFlags.PATH | openFlags.DIRECTORY })]
}

function compileChild(process: Process, context: CompileContext, parts: Parts): readonly Step[] {
  const { config } = context
  const { plan, rootfs, mountsMeanwhile } = parts
  const env = environmentOf(process)
  const mapped = op('sync_wait', { barrier: barriers.mapped })
  const ready = op('sync_send', { barrier: barriers.ready })
  const readiesEarly = isReadyWithItsRoot(process, context)
  const enterCgroups = compileJoin(context).child
  return [
    ...compileRelayed(process, context),
    ...(mountsMeanwhile
      ? plan.join
      : [
          mapped,
          ...(context.hasUserNamespace ? becomeRoot(context) : []),
          ...enterCgroups,
          ...plan.join,
          ...plan.unshare,
        ]),
    ...compileKeyring(process, context),
    op('setsid', {}),
    ...(isNew(config, 'network') ? [op('loopback_up', {}, '/linux/namespaces')] : []),
    ...compileNames(context),
    ...compileSysctl(context),
    ...rootfs.early,
    ...(mountsMeanwhile ? [mapped, ...enterCgroups, ...plan.unshare] : []),
    ...rootfs.late,
    ...(readiesEarly ? [ready] : []),
    ...compileScheduling(process, context),
    ...compileLabels(process, context),
    op('close_slots', context.mode === 'create' ? { first: 'fds', second: 'fifo' } : { first: null, second: null }),
    ...(context.mode === 'create' ? [op('exit_on_signals', {})] : []),
    ...compileProcess(process, env, context),
    ...(readiesEarly ? [] : [ready]),
    // Behind the change of ids and capabilities, which takes it back.
    ...(context.endsWithRunner ? [endWithParent()] : []),
    op('sync_wait', { barrier: barriers.go }),
    ...(context.mode === 'create' ? [op('wait_start', { fds: 'fds', fifo: 'fifo' })] : []),
    ...compileHooks('startContainer', config, { status: 'created', pid: 'own_pid', bundle: context.bundle }, env),
    compileExecve(process, env),
  ]
}

function supervise({ terminal }: Process, { keep, endsWithRunner }: CompileContext): Step {
  const how = { terminal: terminal ? 'controller' : null, keep: keep ? 1 : 0, unheard: endsWithRunner ? 1 : 0 }
  return op('supervise', how, '/process')
}

/**
 * True when the process may pass `ready` as soon as it has its root: the host writes the state "running" while the process
 * sets its ids and capabilities, and learns from the process's end if one of these fails. Nobody enters the container
 * before that.
 */
function isReadyWithItsRoot(process: Process, context: CompileContext): boolean {
  const waitsForHost = compileRlimits(process, context).host.length > 0 || context.seccomp.host.length > 0
  return context.mode === 'foreground' && !waitsForHost
}

/** Sets uid and gid 0 of the user namespace: until then the process has the overflow ids. */
function becomeRoot(context: CompileContext): readonly Step[] {
  const from = '/linux/uidMappings'
  const isHidden = context.facts.euid !== 0 && isNew(context.config, 'user') && !context.isOpenToCaller
  return [
    op('setgid', { gid: 0 }, from),
    op('setuid', { uid: 0 }, from),
    ...(isHidden ? [op('prctl', { option: prctl.DUMPABLE, value: 0 })] : []),
  ]
}
