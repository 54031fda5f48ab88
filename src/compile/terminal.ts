import { OciError } from '../errors.ts'
import type { Process } from '../oci/runtime-config.ts'
import { resolveKind, treeFlags } from '../program/flags.ts'
import { type HostStep, op, type Step, undoable } from '../program/program.ts'
import type { CompileContext } from './context.ts'

const from = '/process/terminal'

/** The place that asks for a terminal: config.json, an option of `exec`, or the file of its --process. */
export type TerminalOrigin = typeof from | '--tty' | '--process'

const wishes: Readonly<Record<TerminalOrigin, { readonly text: string; readonly remedy: string }>> = {
  '/process/terminal': {
    text: 'process.terminal in config.json is true',
    remedy: 'make the bundle without one: pull, unpack and spec take --no-tty',
  },
  '--tty': { text: 'a terminal is asked for (--tty)', remedy: 'leave --tty out' },
  '--process': { text: 'terminal in the file of --process is true', remedy: 'set it to false' },
}

const isOrigin = (text: string): text is TerminalOrigin => text in wishes

function terminalError(origin: TerminalOrigin, problem: string, hint: string): OciError {
  const { text, remedy } = wishes[origin]
  return new OciError('ERR_USAGE', `${text}, but ${problem}`, {
    pointer: origin === from ? from : undefined,
    hint: `${hint}, or ${remedy}`,
  })
}

/**
 * Checks that `process.terminal`, the mode and --console-socket fit together.
 * @throws OciError `ERR_USAGE` a detached container with a terminal has no console socket, or the socket would get no terminal
 */
export function checkTerminal(
  { terminal }: Process,
  { mode, consoleSocket }: CompileContext,
  origin: TerminalOrigin = from,
): void {
  const isForeground = mode === 'foreground'
  if (terminal && !isForeground && consoleSocket === undefined) {
    const problem = 'nobody would hold the terminal of what goes on in the background'
    throw terminalError(origin, problem, 'pass --console-socket')
  }
  if (consoleSocket !== undefined && (!terminal || isForeground)) {
    const problem = isForeground ? 'what runs in the foreground has the terminal of the caller' : 'there is no terminal'
    throw new OciError('ERR_USAGE', `--console-socket would get nothing: ${problem}`, {
      pointer: from,
      hint: isForeground ? 'detach, or leave --console-socket out' : 'ask for one, or leave --console-socket out',
    })
  }
}

/** The first host step of a foreground container with a terminal: the caller has one, too. Without it nobody could end a shell. */
export function compileTerminalCheck(
  { terminal }: Process,
  { mode }: CompileContext,
  origin: TerminalOrigin = from,
): readonly HostStep[] {
  return terminal && mode === 'foreground' ? [undoable(op('expect_terminal', {}, origin))] : []
}

/** The error of that step, which comes from `origin`. */
export function noTerminal(origin: string): OciError {
  const problem = 'none of standard input, output and error is a terminal'
  return terminalError(isOrigin(origin) ? origin : from, problem, 'call it from a terminal')
}

/** Host step before clone that connects to the socket for the terminal: the container's process could not resolve its path. */
export function compileConsoleSocket({ consoleSocket }: CompileContext): readonly HostStep[] {
  if (consoleSocket === undefined) return []
  return [undoable(op('connect', { to: 'console', path: consoleSocket }, '--console-socket'))]
}

/** Host steps after the process is ready that send a pidfd of it to --pidfd-socket, in the form of a console socket. */
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
 * Steps that make the terminal in the container (in its devpts, bound to its /dev/console) and send the controlling side to
 * the console socket, or to the runner, which relays it.
 */
export function compileTerminal(context: CompileContext): readonly Step[] {
  return [...openPty(context), ...bindConsole(), ...handOver(context)]
}

/** Steps like those of `compileTerminal` for `exec`, without /dev/console, which is the first process's terminal. */
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

/** Host step after clone that receives the terminal's controlling side for the relay. */
export function compileTerminalRelay(context: CompileContext): readonly HostStep[] {
  if (!context.config.process?.terminal || context.consoleSocket !== undefined) return []
  return [undoable(op('receive_fd', { to: 'controller' }, from))]
}
