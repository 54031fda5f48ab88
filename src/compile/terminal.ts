import { resolveKind, treeFlags } from '../program/flags.ts'
import { type HostStep, op, type Step, undoable } from '../program/program.ts'
import type { CompileContext } from './context.ts'

const from = '/process/terminal'

/** Host step before clone: the socket that gets the terminal, opened where its path still means something. */
export function compileConsoleSocket({ consoleSocket }: CompileContext): readonly HostStep[] {
  if (consoleSocket === undefined) return []
  return [undoable(op('connect', { to: 'console', path: consoleSocket }, '--console-socket'))]
}

/**
 * Makes the terminal inside the container (its devpts, its /dev/console) and sends the controlling side to the console
 * socket, or to the runner, which relays it.
 */
export function compileTerminal({ config, consoleSocket }: CompileContext): readonly Step[] {
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
    op('open_tree', { to: 'mount', at: 'terminal', path: null, flags: treeFlags.CLONE }, from),
    op('resolve', { to: 'target', root: 'root', path: '/dev/console', kind: resolveKind.FILE, mode: 0o666 }, from),
    op('move_mount', { from: 'mount', to: 'target', path: '/dev/console' }, from),
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
