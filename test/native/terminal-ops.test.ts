import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect } from 'vitest'
import { openFlags } from '../../src/program/flags.ts'
import { op, type Program, type Step, undoable } from '../../src/program/program.ts'
import { withControllingTerminal, withoutTerminal } from '../controlling-terminal.ts'
import { requires } from '../requirements.ts'
import { childProgram, execute, expectDone, expectFailure, hostProgram, look, mountProgram } from './runner.ts'

const { test } = requires('root', 'python3', 'setsid')

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'terminal-ops-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

const pts = (): string => join(directory, 'pts')
const ptmx = (): readonly Step[] => [
  op('mkdir', { at: null, path: pts(), mode: 0o755 }),
  op('mount', {
    source: 'devpts',
    target: null,
    path: pts(),
    type: 'devpts',
    flags: 0,
    data: 'newinstance,ptmxmode=0666',
  }),
  op('open', { to: 'ptmx', at: null, path: join(pts(), 'ptmx'), flags: openFlags.PATH }),
]
const openPty = (rows: number, columns: number): Step =>
  op('open_pty', { controller: 'controller', terminal: 'terminal', ptmx: 'ptmx', rows, columns })
const controlled = [op('setsid', {}), op('set_terminal', { terminal: 'terminal' })]

/** The whole of it: a terminal made by the child, its controlling side sent to the host, which relays it. */
const relayed = (rows: number, columns: number, script: string): Program => {
  const { host, child } = mountProgram(
    ...ptmx(),
    openPty(rows, columns),
    op('send_fd', { socket: null, slot: 'controller', name: '/dev/ptmx' }),
    op('close', { slot: 'controller' }),
    ...controlled,
    ...look(script),
  )
  const [clone] = host
  if (!clone) throw new Error('mountProgram has a clone')
  return {
    host: [
      clone,
      undoable(op('receive_fd', { to: 'relayed' })),
      undoable(op('supervise', { terminal: 'relayed', keep: 0, unheard: 0 })),
    ],
    stage: [],
    child,
  }
}

test('a terminal has its size, is the controlling one, and its output comes out whole', () => {
  const { end, stdout } = execute(relayed(33, 99, 'stty size; tty; echo > /dev/tty; seq 20000; exit 5'))
  const lines = stdout.split(/\r?\n/)
  expect(end).toBe(5)
  expect(lines.slice(0, 2)).toEqual(['33 99', join(pts(), '0')])
  expect(lines.slice(3, -1)).toEqual(Array.from({ length: 20000 }, (_, index) => String(index + 1)))
})

test('what is typed is read in the terminal', () => {
  const { end, stdout } = execute(relayed(0, 0, 'read line; echo got $line'), { input: 'typed\n' })
  expect(stdout).toMatch(/^typed\r?\ngot typed\r?\n$/)
  expect(end).toBe(0)
})

test('a terminal is no terminal without a session of its own', () => {
  const steps = [...ptmx(), openPty(0, 0)]
  expectFailure(mountProgram(...steps, op('set_terminal', { terminal: 'terminal' })), 'set_terminal', 'EPERM')
  const directoryAsPtmx = op('open', { to: 'ptmx', at: null, path: directory, flags: openFlags.PATH })
  expectFailure(mountProgram(directoryAsPtmx, openPty(0, 0)), 'open_pty', 'EISDIR')
  const file = op('open', { to: 'ptmx', at: null, path: '/dev/null', flags: openFlags.PATH })
  expectFailure(mountProgram(file, openPty(0, 0)), 'open_pty', 'ENOTTY')
})

test('connect reaches a unix socket, and fails where nobody listens or the name is too long', async () => {
  const path = join(directory, 'socket')
  const connect = (to: string): Program => hostProgram(op('connect', { to: 'socket', path: to }))
  expectFailure(connect(path), 'connect', 'ENOENT')
  expectFailure(connect(`/${'x'.repeat(108)}`), 'connect', 'ENAMETOOLONG')
  const server = createServer().listen(path)
  await new Promise((resolve) => server.once('listening', resolve))
  expectDone(connect(path))
  server.close()
})

test('send_fd sends no descriptor that is not open', () => {
  const steps = [op('open', { to: 'x', at: null, path: '/', flags: openFlags.PATH }), op('close', { slot: 'x' })]
  const send = op('send_fd', { socket: null, slot: 'x', name: 'name' })
  expectFailure(childProgram(0, ...steps, send), 'send_fd', 'EBADF')
})

test('reopen_null fails when what the root calls /dev/null is another device', () => {
  // Made of a device whose number lies: the runner was given the null device as its stdin.
  const steps = (minor: number): readonly Step[] => [
    op('mount', { source: 'tmpfs', target: null, path: directory, type: 'tmpfs', flags: 0, data: null }),
    op('open', { to: 'root', at: null, path: directory, flags: openFlags.PATH }),
    op('mkdir', { at: 'root', path: 'dev', mode: 0o755 }),
    op('mknod', { at: 'root', path: 'dev/null', mode: 0o020666, major: 1, minor }),
    op('reopen_null', { root: 'root' }),
  ]
  const nullInput = { stdinFile: '/dev/null' }
  expect(
    expectDone(mountProgram(...steps(3), ...look('stat -Lc %d /proc/self/fd/0; stat -c %d /dev/null')), nullInput),
  ).toMatch(/^(\d+)\n(?!\1\n)\d+\n$/)
  expectFailure(mountProgram(...steps(5)), 'reopen_null', 'ENODEV', nullInput)
})

const expectTerminal = hostProgram(op('expect_terminal', {}))

test('what is to have a terminal of the caller fails without one, and takes any', () => {
  expectFailure(expectTerminal, 'expect_terminal', 'ENOTTY', { under: withoutTerminal })
  expectDone(expectTerminal, { under: withControllingTerminal })
})
