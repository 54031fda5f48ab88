import { OciError } from '../errors.ts'
import type { Process, RuntimeConfig } from '../oci/runtime-config.ts'
import { openFlags, prctl } from '../program/flags.ts'
import { type HostStep, op, type Program, type Step, undoable } from '../program/program.ts'
import { cgroupPlaces } from './cgroup-paths.ts'
import { compileCgroups, compileCloneTarget, compileJoin } from './cgroups.ts'
import type { CompileContext, CompileOptions } from './context.ts'
import type { HostFacts } from './facts.ts'
import { compileIdMaps, isNew, namespacesOf, planNamespaces } from './namespaces.ts'
import { compileExec, compileProcess, compileRlimits } from './process.ts'
import { compileRootfs } from './rootfs.ts'
import { compileFinalState, compileStartFifo, compileStateDirectory } from './state.ts'
import { compileSysctl } from './sysctl.ts'
import { compileConsoleSocket, compileTerminalRelay } from './terminal.ts'
import { refuseUnsupported } from './unsupported.ts'

/** Where the two sides meet: the user namespace has its ids; the process is ready; the state is written. */
const barriers = { mapped: 1, ready: 2, go: 3 } as const

/**
 * Turns config.json into the program that creates (or runs) the container. Pure: the same input gives the same program.
 *
 * @throws OciError `ERR_CONFIG_INVALID` or `ERR_CONFIG_UNSUPPORTED`, each with the pointer of the field
 */
export function compile(config: RuntimeConfig, options: CompileOptions, facts: HostFacts): Program {
  const process = config.process
  if (!process) {
    throw new OciError('ERR_CONFIG_INVALID', 'there is no process to run', { pointer: '/process', hint: 'add one' })
  }
  const context: CompileContext = {
    ...options,
    config,
    facts,
    cgroups: usableCgroups(config, facts),
    hasUserNamespace: namespacesOf(config).some(({ type }) => type === 'user'),
    hasMountNamespace: namespacesOf(config).some(({ type }) => type === 'mount'),
  }
  refuseUnsupported(context)
  checkTerminal(process, context)
  const plan = planNamespaces(context)
  return { host: compileHost(process, context), stage: plan.stage, child: compileChild(process, context) }
}

/**
 * Without the right to make cgroups a container runs outside of any, as long as config.json names no place and no limit.
 */
function usableCgroups(config: RuntimeConfig, facts: HostFacts): CompileContext['cgroups'] {
  if (facts.euid === 0 && !facts.inUserNamespace) return cgroupPlaces(config, facts.cgroups)
  const { devices: _, ...limits } = config.linux?.resources ?? {}
  if (config.linux?.cgroupsPath || Object.values(limits).some((value) => value !== undefined)) {
    return cgroupPlaces(config, facts.cgroups).filter((place) => place.hierarchy.isUnified)
  }
  return []
}

function checkTerminal({ terminal }: Process, { mode, consoleSocket }: CompileContext): void {
  const isForeground = mode === 'foreground'
  if (terminal && !isForeground && consoleSocket === undefined) {
    throw new OciError('ERR_USAGE', 'cannot allocate tty if runc will detach without setting console socket', {
      pointer: '/process/terminal',
      hint: 'pass --console-socket, or set process.terminal to false',
    })
  }
  if (consoleSocket !== undefined && (!terminal || isForeground)) {
    throw new OciError('ERR_USAGE', 'cannot use console socket if runc will not detach or allocate tty', {
      pointer: '/process/terminal',
      hint: 'set process.terminal to true and detach, or leave --console-socket out',
    })
  }
}

function compileHost(process: Process, context: CompileContext): readonly HostStep[] {
  const plan = planNamespaces(context)
  const maps = compileIdMaps(context)
  const join = compileJoin(context)
  const target = compileCloneTarget(context)
  const isForeground = context.mode === 'foreground'
  return [
    ...(context.facts.euid === 0 ? [undoable(op('prctl', { option: prctl.DUMPABLE, value: 0 }))] : []),
    ...compileStateDirectory(context),
    ...compileCgroups(context),
    ...compileStartFifo(context),
    ...compileConsoleSocket(context),
    ...plan.open,
    undoable(op('open', { to: 'proc', at: null, path: '/proc', flags: openFlags.PATH | openFlags.DIRECTORY })),
    ...target.steps,
    ...(isForeground && !context.noSubreaper
      ? [undoable(op('prctl', { option: prctl.CHILD_SUBREAPER, value: 1 }))]
      : []),
    ...plan.enter,
    undoable(op('clone', { flags: plan.cloneFlags, cgroup: target.slot }, '/linux/namespaces'), op('kill_child', {})),
    ...maps,
    ...join.host,
    ...compileOomScore(process),
    undoable(op('sync_send', { barrier: barriers.mapped })),
    ...compileTerminalRelay(context),
    undoable(op('sync_wait', { barrier: barriers.ready })),
    ...compileRlimits(process),
    ...compileFinalState(context),
    undoable(op('sync_send', { barrier: barriers.go })),
    undoable(
      isForeground
        ? op('supervise', { terminal: process.terminal ? 'controller' : null, keep: context.keep ? 1 : 0 }, '/process')
        : op('ready', {}),
    ),
  ]
}

function compileOomScore({ oomScoreAdj }: Process): readonly HostStep[] {
  if (oomScoreAdj === undefined) return []
  const path = ['/proc/', { register: 'pid' as const }, '/oom_score_adj']
  return [
    undoable(
      op(
        'write_file',
        { at: null, path, content: String(oomScoreAdj), flags: openFlags.WRONLY, mode: 0 },
        '/process/oomScoreAdj',
      ),
    ),
  ]
}

function compileChild(process: Process, context: CompileContext): readonly Step[] {
  const { config } = context
  const plan = planNamespaces(context)
  const hasNewUser = isNew(config, 'user')
  return [
    op('sync_wait', { barrier: barriers.mapped }),
    ...(context.hasUserNamespace ? becomeRoot(hasNewUser, context) : []),
    ...compileJoin(context).child,
    ...plan.join,
    ...plan.unshare,
    ...(context.noNewKeyring
      ? []
      : [op('session_keyring', { name: ['_ses.', { register: 'id' }] }, '--no-new-keyring', 'ENOSYS', 'EDQUOT')]),
    op('setsid', {}),
    ...(isNew(config, 'network') ? [op('loopback_up', {}, '/linux/namespaces')] : []),
    ...compileNames(context),
    ...compileSysctl(context),
    ...compileRootfs(context),
    ...compileProcess(process, context),
    op('sync_send', { barrier: barriers.ready }),
    op('sync_wait', { barrier: barriers.go }),
    ...(context.mode === 'create' ? [op('wait_start', { proc: 'proc', fifo: 'fifo' })] : []),
    compileExec(process),
  ]
}

/** In its user namespace the process is nobody until it takes the ids that were mapped. */
function becomeRoot(isNewNamespace: boolean, context: CompileContext): readonly Step[] {
  const from = '/linux/uidMappings'
  return [
    op('setgid', { gid: 0 }, from),
    op('setuid', { uid: 0 }, from),
    ...(context.facts.euid === 0 || !isNewNamespace ? [] : [op('prctl', { option: prctl.DUMPABLE, value: 0 })]),
  ]
}

function compileNames({ config }: CompileContext): readonly Step[] {
  const needsUts = (pointer: string): Step[] => {
    if (namespacesOf(config).some(({ type }) => type === 'uts')) return []
    throw new OciError('ERR_CONFIG_INVALID', `${pointer.slice(1)} would change the host's`, {
      pointer,
      hint: 'add {"type": "uts"} to /linux/namespaces',
    })
  }
  return [
    ...(config.hostname ? [...needsUts('/hostname'), op('sethostname', { name: config.hostname }, '/hostname')] : []),
    ...(config.domainname
      ? [...needsUts('/domainname'), op('setdomainname', { name: config.domainname }, '/domainname')]
      : []),
  ]
}
