import type { RuntimeConfig } from '../../oci/runtime-config.ts'
import { openFlags } from '../../program/flags.ts'
import { type HostStep, op, type Program, type Step, type Text, undoable } from '../../program/program.ts'
import type { CompileContext } from '../context.ts'
import { stateFile } from './files.ts'

/** Names of the directory of the container's notify socket in its state directory, and of the socket in it. */
export const notifyDirectory = 'notify'
export const notifyName = 'notify.sock'

const placeInContainer = '/run/notify'
const from = '$NOTIFY_SOCKET'

/**
 * A copy of the config that mounts the directory of the container's notify socket and sets NOTIFY_SOCKET to the socket.
 *
 * @param directory the absolute path on the host
 * @see man 3 sd_notify
 */
export function withNotifySocket(config: RuntimeConfig, directory: string): RuntimeConfig {
  if (!config.process) return config
  const mount = {
    destination: placeInContainer,
    source: directory,
    options: ['bind', 'nosuid', 'noexec', 'nodev', 'ro'],
  }
  const env = [...(config.process.env ?? []), `NOTIFY_SOCKET=${placeInContainer}/${notifyName}`]
  return { ...config, mounts: [...(config.mounts ?? []), mount], process: { ...config.process, env } }
}

/** Host steps before clone that make the directory and, except for `create`, after which `start` does it, the socket. */
export function compileNotifySocket(context: CompileContext): readonly HostStep[] {
  if (context.notify === undefined) return []
  const path = stateFile(context, notifyDirectory)
  const directory = undoable(
    op('mkdir', { at: null, path, mode: 0o755 }, from),
    op('rmdir', { at: null, path }, from, 'ENOENT'),
  )
  if (context.mode === 'create') return [directory]
  return [
    directory,
    undoable(op('open', { to: 'bundle', at: null, path: '.', flags: openFlags.PATH }, from)),
    ...bindIn(path),
    undoable(op('fchdir', { slot: 'bundle' }, from)),
  ]
}

/** Binds the socket from within the directory, since the address of a socket has room only for a short path. */
function bindIn(directory: Text): readonly HostStep[] {
  return [
    undoable(op('open', { to: 'notify_directory', at: null, path: directory, flags: openFlags.PATH }, from)),
    undoable(op('fchdir', { slot: 'notify_directory' }, from)),
    undoable(
      op('bind', { to: 'notify', path: notifyName }, from),
      op('unlink', { at: 'notify_directory', path: notifyName }, from, 'ENOENT'),
    ),
  ]
}

/** Compiles the program that runs beside `start`: it makes the socket and relays until the container is ready or has ended. */
export function compileNotifyStart(container: { directory: string; init: { pid: number } }, host: string): Program {
  const process = String(container.init.pid)
  const relay = notifyRelay({ host, process, mainPid: process, background: 0 })
  return { host: [...bindIn(`${container.directory}/${notifyDirectory}`), undoable(relay)], stage: [], child: [] }
}

/**
 * Host steps, after the container runs, that relay its notification that it is ready to the host. A detached run waits for
 * it; in a foreground run a separate process does.
 */
export function compileNotifyRelay({ notify, mode }: CompileContext): readonly HostStep[] {
  if (notify === undefined || mode === 'create') return []
  const isForeground = mode === 'foreground'
  const mainPid: Text = isForeground ? String(notify.mainPid) : [{ register: 'pid' }]
  return [
    undoable(
      notifyRelay({ host: notify.host, process: null, mainPid, background: isForeground ? 1 : 0 }, ...noListener),
    ),
  ]
}

/** Errors that are tolerated: a container runs also if nobody listens on the host. */
const noListener = ['ENOENT', 'EACCES', 'EPERM', 'ECONNREFUSED'] as const

interface Relay {
  readonly host: string
  readonly process: string | null
  readonly mainPid: Text
  readonly background: 0 | 1
}

const notifyRelay = (relay: Relay, ...ok: typeof noListener | []): Step =>
  op('notify_relay', { socket: 'notify', ...relay }, from, ...ok)
