import type { RuntimeConfig } from '../oci/runtime-config.ts'
import { cloneFlags, mountFlags, openFlags, prctl, resolveKind, treeFlags } from '../program/flags.ts'
import { type HostStep, op, type Program, type Step, undoable } from '../program/program.ts'
import { compileCgroups, compileKill, compileMoves, compileUnit } from './cgroup/cgroups.ts'
import { compileResctrlGroups, joinResctrlGroups, resctrlGroups } from './cgroup/intel-rdt.ts'
import { compileContext } from './compile.ts'
import type { CompileContext, CompileOptions } from './context.ts'
import { criuFds, proceed } from './criu.ts'
import { expectDescriptors } from './descriptors.ts'
import type { HostFacts } from './facts.ts'
import { absoluteSource } from './mount/bind.ts'
import { isBind, type MountEntry, mountEntries, rootfsPath } from './mount/entries.ts'
import { compileStdio } from './process.ts'
import {
  compileFinalState,
  compileFinalStateName,
  compilePidFile,
  compilePidFileName,
  compilePidFileRoom,
  compileStateDirectory,
  stateFile,
} from './state/files.ts'
import { compileHooks } from './state/hooks.ts'
import { compileNotifySocket } from './state/notify.ts'
import { checkTerminal, compileConsoleSocket, compilePidfd, compileTerminalCheck } from './terminal.ts'

/** The directory that CRIU has as the root of the container, in its state directory. */
export const criuRootName = 'criu-root'

/** All paths are absolute. */
export interface CriuCall {
  readonly path: string
  readonly message: Uint8Array
  readonly imagePath: string
  readonly workPath: string
}

/**
 * The program that makes a container of the images of a checkpoint: what surrounds it is made as for a new one, its
 * processes and their mounts are CRIU's.
 *
 * @throws OciError as `compile`
 */
export function compileRestore(
  config: RuntimeConfig,
  options: CompileOptions,
  facts: HostFacts,
  criu: CriuCall,
): Program {
  const context = compileContext(config, options, facts)
  checkTerminal(config.process, context)
  return expectDescriptors({ host: compileHost(context, criu), stage: [], child: [] }, Object.keys(criuFds).length)
}

const wait = (script: string | null): HostStep =>
  undoable(op('criu_wait', { terminal: 'controller', socket: 'criu', script }))
const send = (message: Uint8Array): HostStep => undoable(op('criu_send', { socket: 'criu', message }))

function compileHost(context: CompileContext, criu: CriuCall): readonly HostStep[] {
  const { config, facts, noSubreaper, mode } = context
  const isForeground = mode === 'foreground'
  const terminal = config.process.terminal ? 'controller' : null
  const cgroups = compileCgroups(context)
  return [
    ...compileTerminalCheck(config.process, context),
    ...compileStdio(config.process, context),
    ...compileStateDirectory(context),
    ...compileNotifySocket({ ...context, mode: 'create' }),
    ...cgroups.early,
    ...cgroups.late,
    ...compileResctrlGroups(context),
    ...compileConsoleSocket(context),
    ...(isForeground && !noSubreaper ? [undoable(op('prctl', { option: prctl.CHILD_SUBREAPER, value: 1 }))] : []),
    ...enterMounts(context),
    // Mounts can be made only in directories that are of the mount namespace.
    undoable(op('criu_directory', { path: criu.imagePath, fd: criuFds.images }, '--image-path')),
    undoable(op('criu_directory', { path: criu.workPath, fd: criuFds.work }, '--work-path')),
    undoable(op('criu_start', { to: 'criu', path: criu.path }), op('kill_child', {}), ...compileKill(context)),
    ...leaveMounts(),
    ...compileMoves(context),
    ...compileUnit(context),
    ...joinResctrlGroups(resctrlGroups(config, facts)),
    send(criu.message),
    ...hooks(context),
    wait('post-restore'),
    ...compileFinalState(context),
    ...compileFinalStateName(context),
    ...compilePidFile(context),
    ...compilePidfd(context),
    ...compilePidFileRoom(context),
    send(proceed),
    wait(null),
    undoable(op('rmdir', { at: null, path: stateFile(context, criuRootName) })),
    ...(terminal !== null && context.consoleSocket !== undefined
      ? [undoable(op('send_fd', { socket: 'console', slot: terminal, name: '/dev/ptmx' }, '--console-socket'))]
      : []),
    ...compilePidFileName(context),
    undoable(isForeground ? op('supervise', { terminal, keep: 0 }, '/process') : op('ready', {})),
  ]
}

/**
 * CRIU wants the root to be a mount, and the places of other mounts to be there: in a mount namespace of its own, so
 * that nothing of that is left anywhere.
 */
function enterMounts(context: CompileContext): readonly HostStep[] {
  const root = stateFile(context, criuRootName)
  const path = openFlags.PATH
  const entries = mountEntries(context)
  const steps: readonly Step[] = [
    op('open', { to: 'home', at: null, path: '.', flags: path }),
    op('open', { to: 'own_mounts', at: null, path: '/proc/self/ns/mnt', flags: openFlags.RDONLY }),
    op('unshare', { flags: cloneFlags.NEWNS }),
    op('mount', {
      source: null,
      target: null,
      path: '/',
      type: null,
      flags: mountFlags.SLAVE | mountFlags.REC,
      data: null,
    }),
    op('open', { to: 'root', at: null, path: rootfsPath(context), flags: path | openFlags.DIRECTORY }, '/root/path'),
    op('open_tree', { to: 'mount', at: 'root', path: '', flags: treeFlags.CLONE | treeFlags.RECURSIVE }, '/root/path'),
    op('open', { to: 'target', at: null, path: root, flags: path }),
    op('move_mount', { from: 'mount', to: 'target', name: null, path: '/' }),
    ...entries.filter((entry) => needsPlace(entry, entries)).flatMap((entry) => makePlace(entry, context)),
  ]
  return [
    undoable(op('mkdir', { at: null, path: root, mode: 0o755 }), op('rmdir', { at: null, path: root }, '', 'ENOENT')),
    ...steps.map((step) => undoable(step)),
  ]
}

/** What is in a tmpfs is in the images, and the cgroups of v1 are in one; /sys/fs/cgroup itself is in sysfs. */
function needsPlace({ mount, destination }: MountEntry, all: readonly MountEntry[]): boolean {
  if (mount.type === 'cgroup' || mount.type === 'cgroup2') return false
  return !all.some((other) => other.mount.type === 'tmpfs' && destination.startsWith(`${other.destination}/`))
}

/** Other places may be in a bind mount: it is made here, too. */
function makePlace(entry: MountEntry, { bundle }: CompileContext): readonly Step[] {
  const { mount, destination, from } = entry
  if (!isBind(entry)) {
    const kind = resolveKind.DIRECTORY
    return [op('resolve', { to: 'target', root: 'root', path: destination, kind, mode: 0o755 }, from)]
  }
  const path = absoluteSource(mount.source, bundle, `${from}/source`)
  return [
    op('open_tree', { to: 'mount', at: null, path, flags: treeFlags.CLONE | treeFlags.RECURSIVE }, `${from}/source`),
    op('resolve_like', { to: 'target', root: 'root', path: destination, like: 'mount' }, from),
    op('move_mount', { from: 'mount', to: 'target', name: null, path: destination }, from),
  ]
}

/** Hooks, and whoever looks for the runner's directory, are in the mount namespace of the host. */
function leaveMounts(): readonly HostStep[] {
  return [op('setns', { slot: 'own_mounts', type: cloneFlags.NEWNS }), op('fchdir', { slot: 'home' })].map((step) =>
    undoable(step),
  )
}

function hooks({ config, bundle }: CompileContext): readonly HostStep[] {
  const situation = { status: 'creating', pid: 'pid', bundle } as const
  const own = [...compileHooks('prestart', config, situation), ...compileHooks('createRuntime', config, situation)].map(
    (step) => undoable(step),
  )
  return own.length === 0 ? [] : [wait('setup-namespaces'), ...own, send(proceed)]
}
