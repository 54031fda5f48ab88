import { OciError } from '../errors.ts'
import type { Process } from '../oci/runtime-config.ts'
import { resolveKind, treeFlags } from '../program/flags.ts'
import { type HostStep, op, type Step, undoable } from '../program/program.ts'
import type { CompileContext } from './context.ts'

const from = '/process/terminal'

/** @throws OciError `ERR_USAGE` a terminal that nobody would hold, or a console socket that would get none */
export function checkTerminal({ terminal }: Process, { mode, consoleSocket }: CompileContext): void {
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

/** Host step before clone: the socket that gets the terminal, opened where its path still means something. */
export function compileConsoleSocket({ consoleSocket }: CompileContext): readonly HostStep[] {
  if (consoleSocket === undefined) return []
  return [undoable(op('connect', { to: 'console', path: consoleSocket }, '--console-socket'))]
}

/** Host steps when the process is ready: a pidfd of it, sent as a terminal would be. */
export function compilePidfd({ pidfdSocket }: CompileContext): readonly HostStep[] {
  if (pidfdSocket === undefined) return []
  const option = '--pidfd-socket'
  return [
    op('connect', { to: 'pidfd_socket', path: pidfdSocket }, option),
    op('open_pidfd', { to: 'pidfd' }, option),
    op('send_fd', { socket: 'pidfd_socket', slot: 'pidfd', name: 'pidfd' }, option),
  ].map((step) => undoable(step))
}

/**
 * Makes the terminal inside the container (its devpts, its /dev/console) and sends the controlling side to the console
 * socket, or to the runner, which relays it.
 */
export function compileTerminal(context: CompileContext): readonly Step[] {
  return [...openPty(context), ...bindConsole(), ...handOver(context)]
}

/** The same for a process that joins a container, whose console is taken. */
export function compilePty(context: CompileContext): readonly Step[] {
  return [...openPty(context), ...handOver(context)]
}

function openPty({ config }: CompileContext): readonly Step[] {
  const size = config.process?.consoleSize
  return [
    op('resolve', { to: 'ptmx', root: 'root', path: '/dev/pts/ptmx', kind: resolveKind.EXISTING, mode: 0 }, from),
    op(
      'open_pty',
      {
        controller: 'controller',
        terminal: 'terminal',
        ptmx: 'ptmx',
        rows: size?.height ?? 0,
        columns: size?.width ?? 0,
      },
      from,
    ),
  ]
}

function bindConsole(): readonly Step[] {
  return [
    op('open_tree', { to: 'mount', at: 'terminal', path: '', flags: treeFlags.CLONE }, from),
    op('resolve', { to: 'target', root: 'root', path: '/dev/console', kind: resolveKind.FILE, mode: 0o666 }, from),
    op('move_mount', { from: 'mount', to: 'target', name: null, path: '/dev/console' }, from),
  ]
}

function handOver({ consoleSocket }: CompileContext): readonly Step[] {
  return [
    op(
      'send_fd',
      { socket: consoleSocket === undefined ? null : 'console', slot: 'controller', name: '/dev/ptmx' },
      consoleSocket === undefined ? from : '--console-socket',
    ),
    op('set_terminal', { terminal: 'terminal' }, from),
    op('close', { slot: 'controller' }, from),
  ]
}

/** Host step after clone: the terminal's controlling side, for the relay. */
export function compileTerminalRelay(context: CompileContext): readonly HostStep[] {
  if (!context.config.process?.terminal || context.consoleSocket !== undefined) return []
  return [undoable(op('receive_fd', { to: 'controller' }, from))]
}
