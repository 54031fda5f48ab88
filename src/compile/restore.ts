import { OciError } from '../errors.ts'
import { refuseNetworkProgram } from '../oci/network-annotations.ts'
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
import { compileHookOutput } from './state/hook-output.ts'
import { compileHooks } from './state/hooks.ts'
import { compileNotifySocket } from './state/notify.ts'
import { checkTerminal, compileConsoleSocket, compilePidfd, compileTerminalCheck } from './terminal.ts'

/** The name of the directory in the state directory that CRIU takes as the container's root. */
export const criuRootName = 'criu-root'

/** A restore by CRIU: its executable, the encoded request, and its directories. All paths are absolute. */
export interface CriuRestore {
  readonly path: string
  readonly message: Uint8Array
  readonly imagePath: string
  readonly workPath: string
}

/**
 * Compiles the program that restores a container from the images of a checkpoint. State, cgroups and sockets are made as
 * for a new container; CRIU restores its processes and their mounts.
 *
 * @throws OciError as `compile`
 */
export function compileRestore(
  config: RuntimeConfig,
  options: CompileOptions,
  facts: HostFacts,
  criu: CriuRestore,
): Program {
  const context = compileContext(config, options, facts)
  refuseNetworkProgram(config.annotations, 'restore')
  checkTerminal(config.process, context)
  return expectDescriptors({ host: compileHost(context, criu), stage: [], child: [] }, Object.keys(criuFds).length)
}

const wait = (script: string | null): HostStep =>
  undoable(op('criu_wait', { terminal: 'controller', socket: 'criu', script }))
const send = (message: Uint8Array): HostStep => undoable(op('criu_send', { socket: 'criu', message }))

function compileHost(context: CompileContext, criu: CriuRestore): readonly HostStep[] {
  const { config, facts, noSubreaper, mode } = context
  const isForeground = mode === 'foreground'
  const terminal = config.process.terminal ? 'controller' : null
  const cgroups = compileCgroups(context)
  return [
    ...compileTerminalCheck(config.process, context),
    ...compileStdio(config.process, context),
    ...compileHookOutput(context),
    ...compileStateDirectory(context),
    ...compileNotifySocket({ ...context, mode: 'create' }),
    ...cgroups.early,
    ...cgroups.late,
    ...compileResctrlGroups(context),
    ...compileConsoleSocket(context),
    ...(isForeground && !noSubreaper ? [undoable(op('prctl', { option: prctl.CHILD_SUBREAPER, value: 1 }))] : []),
    ...enterMounts(context),
    // CRIU makes mounts in these directories, which it can only do if they were opened in its mount namespace.
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
    undoable(isForeground ? op('supervise', { terminal, keep: 0, unheard: 0 }, '/process') : op('ready', {})),
  ]
}

/**
 * Enters a mount namespace of CRIU's own, so that no mount is left on the host. There the root is made a mount and the
 * mount points of other mounts are made, as CRIU requires.
 */
function enterMounts(context: CompileContext): readonly HostStep[] {
  const root = stateFile(context, criuRootName)
  const path = openFlags.PATH
  const entries = mountEntries(context)
  checkLinks(entries)
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

/** Refuses mounts of links, which CRIU would follow. @throws OciError `ERR_CONFIG_UNSUPPORTED` */
function checkLinks(entries: readonly MountEntry[]): void {
  for (const { options, from } of entries) {
    const [option] = options.links
    if (option === undefined) continue
    throw new OciError('ERR_CONFIG_UNSUPPORTED', `CRIU does not restore a mount with the option "${option}"`, {
      pointer: `${from}/options`,
      hint: 'remove the option, if the path is no symbolic link',
    })
  }
}

/**
 * True when the mount point must be made before CRIU runs. Those in a tmpfs are in the images, and so are those of v1
 * cgroups; /sys/fs/cgroup itself is in sysfs.
 */
function needsPlace({ mount, destination }: MountEntry, all: readonly MountEntry[]): boolean {
  if (mount.type === 'cgroup' || mount.type === 'cgroup2') return false
  return !all.some((other) => other.mount.type === 'tmpfs' && destination.startsWith(`${other.destination}/`))
}

/** Makes the mount point, and the mount itself if it is a bind mount, in which the mount points of others may be. */
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

/** Returns to the host's mount namespace, in which hooks run and in which others look up the runner's directory. */
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
