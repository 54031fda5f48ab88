import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect } from 'vitest'
import { openFlags } from '../../src/program/flags.ts'
import { op, type Program, type Step, undoable } from '../../src/program/program.ts'
import { listenForNotify, type NotifyListener, sendReady } from '../notify-listener.ts'
import { requires } from '../requirements.ts'
import { expectDone, expectFailure, hostProgram, look } from './runner.ts'

const { test } = requires('perl')

let directory = ''
let listener: NotifyListener
const host = (): string => join(directory, 'host')
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'notify-ops-'))
  listener = await listenForNotify(host())
})
afterEach(() => {
  listener.close()
  rmSync(directory, { recursive: true })
})

const bind = (place = directory): readonly Step[] => [
  op('open', { to: 'directory', at: null, path: place, flags: openFlags.PATH }),
  op('fchdir', { slot: 'directory' }),
  op('bind', { to: 'notify', path: 'own' }),
]
const relay = (socket: string, background: 0 | 1, to = host()): Step =>
  op('notify_relay', { socket, host: to, process: null, mainPid: '77', background })

const program = (script: string, step: Step): Program => ({
  host: [
    ...bind().map((own) => undoable(own)),
    undoable(op('clone', { flags: 0, cgroup: null }), op('kill_child', {})),
    undoable(step),
    undoable(op('supervise', { terminal: null, keep: 0, unheard: 0 })),
  ],
  stage: [],
  child: look(script),
})
const tell = (): string => `NOTIFY_SOCKET=${directory}/own perl -e '${sendReady}'`

test('bind makes a socket for anybody, where the way to it may be long and its name may not', () => {
  const deep = join(directory, 'x'.repeat(120))
  mkdirSync(deep)
  expectDone(hostProgram(...bind(deep)))
  expect(statSync(join(deep, 'own')).mode & 0o777).toBe(0o777)
  expectFailure(hostProgram(...bind(deep)), 'bind', 'EADDRINUSE')
  expectFailure(hostProgram(op('bind', { to: 'notify', path: join(deep, 'own') })), 'bind', 'ENAMETOOLONG')
})

test.each([0, 1] as const)('notify_relay passes READY on with the process that it is to name', async (background) => {
  expectDone(program(tell(), relay('notify', background)))
  expect(await listener.next()).toBe('READY=1')
  expect(await listener.next()).toBe('MAINPID=77')
  expect(await listener.next()).toBe('BARRIER=1')
})

test('notify_relay waits no longer than the process lives', () => {
  expect(expectDone(program('echo mute', relay('notify', 0)))).toBe('mute\n')
  rmSync(join(directory, 'own'))
  expectFailure(program('exec sleep 9', relay('notify', 0, join(directory, 'nobody'))), 'notify_relay', 'ENOENT')
})
