import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { cloneFlags, openFlags } from '../../src/program/flags.ts'
import { op, type Program, type Step, undoable } from '../../src/program/program.ts'
import { requires } from '../requirements.ts'
import { childProgram, execute, expectDone, expectFailure, hostProgram, look } from './runner.ts'

const asRoot = requires('root')

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'process-ops-'))
})
afterEach(() => rmSync(directory, { recursive: true }))
const path = (name: string): string => join(directory, name)

const clone = (flags = 0): ReturnType<typeof undoable> =>
  undoable(op('clone', { flags, cgroup: null }), op('kill_child', {}))
const supervise = undoable(op('supervise', { terminal: null, keep: 0, unheard: 0 }))
const send = (barrier: number): Step => op('sync_send', { barrier })
const wait = (barrier: number): Step => op('sync_wait', { barrier })

test('both sides meet at a barrier, in both directions', () => {
  const program: Program = {
    host: [clone(), undoable(send(1)), undoable(wait(2)), supervise],
    stage: [],
    child: [wait(1), send(2), ...look('echo met')],
  }
  expect(expectDone(program)).toBe('met\n')
})

test('another barrier than the one that is waited for is an error', () => {
  const program: Program = { host: [clone(), undoable(wait(2)), supervise], stage: [], child: [send(7), wait(1)] }
  expect(execute(program).reports).toMatchObject([{ kind: 'failed', step: 1, error: 'EPROTO' }])
})

test("a child that fails ends the wait of the host, and it is the child's step that is reported", () => {
  const program: Program = {
    host: [clone(), undoable(wait(2)), supervise],
    stage: [],
    child: [op('chdir', { path: '/missing' }), send(2)],
  }
  expect(execute(program).reports).toMatchObject([{ kind: 'failed', step: 3, error: 'ENOENT' }])
})

test('a child that ends without a word is a failure of the wait', () => {
  const program: Program = { host: [clone(), undoable(wait(2)), supervise], stage: [], child: [] }
  expect(execute(program).reports).toMatchObject([{ kind: 'failed', step: 1, error: 'EPIPE' }])
})

/** Kills a process, and goes on when that is a zombie, or gone. */
function killer(register: 'pid' | 'own_pid', more = ''): Step {
  const script = `read pid; kill -9 $pid; while grep -v ' Z ' /proc/$pid/stat; do :; done >/dev/null 2>&1; ${more}`
  return op('spawn', {
    path: '/bin/sh',
    argv: ['sh', '-c', script],
    env: ['PATH=/bin'],
    input: [{ register }, '\n'],
    timeoutMs: -1,
    inheritEnv: 0,
  })
}
const open = (file: string): Step => op('open', { to: 'x', at: null, path: file, flags: openFlags.PATH })

test.each<[string, readonly Step[], object]>([
  ['sync_send', [killer('pid'), send(1)], { error: 'EPIPE' }],
  ['sync_wait', [killer('pid'), wait(1)], { error: 'EPIPE' }],
  ['sync_within', [killer('pid'), op('sync_within', { barrier: 1, timeoutMs: 5000 })], { error: 'EPIPE' }],
  ['receive_fd', [killer('pid'), op('receive_fd', { to: 'x' })], { error: 'EPIPE' }],
  ['send_fd', [killer('pid'), open('/'), op('send_fd', { socket: null, slot: 'x', name: 'x' })], { error: 'EPIPE' }],
  ['spawn', [killer('pid', 'echo why; exit 3')], { error: 'ECHILD', status: 3 << 8, detail: 'why\n\x1f' }],
  ['open', [killer('pid'), open('/no/such')], { error: 'ENOENT' }],
])('a report of %s says how the new process has ended, if that was before', (_, steps, report) => {
  const host = [clone(), ...steps.map((step) => undoable(step)), supervise]
  const expected = { kind: 'failed', step: steps.length, status: 0, detail: '', end: 9, ...report }
  expect(execute({ host, stage: [], child: [wait(1)] }).reports).toMatchObject([expected])
})

test('of a new process that has to be killed no report says that it has ended', () => {
  const report = { kind: 'failed', step: 1, end: undefined }
  const early = { host: [clone(), undoable(open('/no/such')), supervise], stage: [], child: [wait(1)] }
  expect(execute(early).reports).toMatchObject([{ ...report, error: 'ENOENT' }])
  const late = { host: [clone(), undoable(wait(1)), supervise], stage: [], child: [send(9), wait(1)] }
  expect(execute(late).reports).toMatchObject([{ ...report, error: 'EPROTO' }])
})

test('a report says how the first child has ended, where there was no other yet', () => {
  const host = [clone(), undoable(wait(9)), supervise]
  const { reports } = execute({ host, stage: [killer('own_pid')], child: [wait(1)] })
  expect(reports).toMatchObject([{ kind: 'failed', step: 1, error: 'EPIPE', end: 9 }])
})

test.each([
  ['sync_wait', wait(1), 'EBADF'],
  ['sync_send', send(1), 'EBADF'],
  ['sync_closed', op('sync_closed', {}), 'EBADF'],
  ['receive_fd', op('receive_fd', { to: 'x' }), 'EBADF'],
  ['supervise', op('supervise', { terminal: null, keep: 0, unheard: 0 }), 'ESRCH'],
] as const)('%s fails where there is no other side', (name, step, error) => {
  expectFailure(hostProgram(step), name, error, { timeoutMs: 3000 })
})

test('sync_closed passes when the command has been executed, and fails when it could not', () => {
  const host = [clone(), undoable(op('sync_closed', {})), supervise]
  expect(expectDone({ host, stage: [], child: look('echo running') })).toBe('running\n')
  const failing: Program = { host, stage: [], child: [op('chdir', { path: '/missing' })] }
  expect(execute(failing).reports).toMatchObject([{ kind: 'failed', step: 3, error: 'ENOENT' }])
})

asRoot.test('clone makes the namespaces that its flags name, and a pid namespace has a first process', () => {
  const flags = cloneFlags.NEWPID | cloneFlags.NEWUTS | cloneFlags.NEWIPC | cloneFlags.NEWNET | cloneFlags.NEWNS
  const own = (type: string): string => execFileSync('readlink', [`/proc/self/ns/${type}`], { encoding: 'utf8' }).trim()
  const shown = expectDone(
    childProgram(flags, ...look('echo $$; for t in uts ipc net mnt user; do readlink /proc/self/ns/$t; done')),
  )
  const [pid, ...rest] = shown.trim().split('\n')
  expect(pid).toBe('1')
  for (const type of ['uts', 'ipc', 'net', 'mnt']) expect(rest).not.toContain(own(type))
  expect(rest.length).toBeGreaterThan(0)
})

test('clone takes no flag that would share memory or descriptors with the runner', () => {
  const shared = 0x100 // CLONE_VM
  expectFailure(childProgram(shared), 'clone', 'EINVAL')
  expectFailure(childProgram(0x400), 'clone', 'EINVAL')
})

asRoot.test('clone puts the process into the cgroup of a slot, and fails for what is none', () => {
  const program = (opened: string): Program => ({
    host: [
      undoable(op('open', { to: 'cgroup', at: null, path: opened, flags: openFlags.DIRECTORY })),
      undoable(op('clone', { flags: 0, cgroup: 'cgroup' }), op('kill_child', {})),
      supervise,
    ],
    stage: [],
    child: look('cat /proc/self/cgroup'),
  })
  expectFailure(program(directory), 'clone', 'EBADF')
})

asRoot.test('setns joins, unshare makes: a namespace given by path is joined', () => {
  const uts = op('open', { to: 'ns', at: null, path: '/proc/self/ns/uts', flags: openFlags.RDONLY })
  const joined = childProgram(
    0,
    uts,
    op('unshare', { flags: cloneFlags.NEWUTS }),
    op('setns', { slot: 'ns', type: cloneFlags.NEWUTS }),
    ...look('readlink /proc/self/ns/uts'),
  )
  expect(expectDone(joined)).toBe(execFileSync('readlink', ['/proc/self/ns/uts'], { encoding: 'utf8' }))
  expectFailure(childProgram(0, uts, op('setns', { slot: 'ns', type: cloneFlags.NEWIPC })), 'setns', 'EINVAL')
  expectFailure(childProgram(0, op('unshare', { flags: 0x100000 })), 'unshare', 'EINVAL')
})

asRoot.test('the stage joins a pid namespace for the child, whose parent is still the runner', () => {
  const program: Program = {
    host: [clone(), undoable(wait(1)), undoable(op('identify', {})), undoable(send(2)), supervise],
    stage: [
      op('unshare', { flags: cloneFlags.NEWPID | cloneFlags.NEWUTS }),
      op('clone', { flags: cloneFlags.PARENT | cloneFlags.NEWNS, cgroup: null }),
    ],
    child: [send(1), wait(2), ...look('echo $$')],
  }
  expect(expectDone(program)).toBe('1\n')
})

test('a failure in the stage is reported with its step', () => {
  const program: Program = {
    host: [clone(), undoable(wait(1)), supervise],
    stage: [op('chdir', { path: '/missing' }), op('clone', { flags: cloneFlags.PARENT, cgroup: null })],
    child: [send(1)],
  }
  expect(execute(program).reports).toMatchObject([{ kind: 'failed', step: 3, error: 'ENOENT' }])
})

test('identify gives the start time of the process as procfs has it, and the time of now', () => {
  const flags = openFlags.CREAT | openFlags.EXCL
  const content = [
    { register: 'start_time' as const },
    ' ',
    { register: 'created' as const },
    ' ',
    { register: 'pid' as const },
  ]
  const program: Program = {
    host: [
      clone(),
      undoable(op('identify', {})),
      undoable(op('write_file', { at: null, path: path('facts'), content, flags, mode: 0o600 })),
      undoable(send(1)),
      supervise,
    ],
    stage: [],
    child: [wait(1), ...look('cat /proc/$$/stat')],
  }
  const earliest = Date.now()
  const stat = expectDone(program)
  const [startTime, created = '', pid] = readFileSync(path('facts'), 'utf8').split(' ')
  expect(stat.split(' ')[0]).toBe(pid)
  expect(stat.split(') ')[1]?.split(' ')[19]).toBe(startTime)
  expect(created).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,8}[1-9])?Z$/)
  expect(Math.abs(Date.parse(created) - earliest)).toBeLessThan(10_000)
  expectFailure(hostProgram(op('identify', {})), 'identify', 'ENOENT')
})

test('ready reports the process, and the runner ends while it lives on', () => {
  const program: Program = {
    host: [clone(), undoable(op('ready', {}))],
    stage: [],
    child: [...look('read line; echo "$line"')],
  }
  const { end, reports, stdout } = execute(program, { input: 'given\n' })
  expect(end).toBe(0)
  expect(reports).toMatchObject([{ kind: 'ready' }])
  expect(stdout).toBe('given\n')
})

test.each([
  ['exit 0', 0],
  ['exit 42', 42],
  ['kill -TERM $$', 143],
  ['kill -KILL $$', 137],
  ['kill -SEGV $$', 139],
])('supervise ends with the code of `%s`: %i', (script, code) => {
  const { end, reports } = execute(childProgram(0, ...look(`ulimit -c 0; ${script}`)))
  expect({ end, reports }).toMatchObject({ end: code, reports: [{ kind: 'exited', status: code }] })
})

test('sync_within waits no longer than it may', () => {
  const program = (child: readonly Step[]): Program => ({
    host: [clone(), undoable(op('sync_within', { barrier: 1, timeoutMs: 200 })), supervise],
    stage: [],
    child,
  })
  expect(expectDone(program([send(1), ...look('echo met')]))).toBe('met\n')
  expectFailure(program([wait(9)]), 'sync_within', 'ETIMEDOUT', { timeoutMs: 3000 })
})

test('report_file adds a file to the report when the child has died', () => {
  writeFileSync(path('events'), 'oom_kill 1\n')
  const program = (file: string): Program => ({
    host: [
      undoable(
        op('clone', { flags: 0, cgroup: null }),
        op('kill_child', {}),
        op('report_file', { path: path(file) }, '', 'ENOENT'),
      ),
      undoable(wait(1)),
    ],
    stage: [],
    child: [],
  })
  expect(expectFailure(program('events'), 'sync_wait', 'EPIPE').reports[0]?.detail).toBe('oom_kill 1\n')
  expect(expectFailure(program('missing'), 'sync_wait', 'EPIPE').reports[0]?.detail).toBe('')
})

test('wait_start blocks until the FIFO is opened for reading', () => {
  execFileSync('mkfifo', [path('fifo')])
  const reader = spawnSync('sh', ['-c', `cat ${path('fifo')} > ${path('read')} 2>&1 &`], { stdio: 'ignore' })
  expect(reader.status).toBe(0)
  const opened = (name: string, file: string): Step =>
    op('open', { to: name, at: null, path: file, flags: openFlags.PATH })
  const program = (fifo: string): Program =>
    childProgram(
      0,
      opened('fds', '/proc/self/fd'),
      opened('fifo', fifo),
      op('wait_start', { fds: 'fds', fifo: 'fifo' }),
    )
  expectDone(program(path('fifo')))
  expectFailure(program(directory), 'wait_start', 'EISDIR')
})

asRoot.test('exit_on_signals ends the first process of a PID namespace, which is deaf to signals otherwise', () => {
  const script = 'kill -TERM 1; kill -HUP 1; echo still there >&2'
  const send = op('spawn', {
    path: '/bin/sh',
    argv: ['sh', '-c', script],
    env: [],
    input: '',
    timeoutMs: -1,
    inheritEnv: 1,
  })
  const program = (...before: readonly Step[]): Program => childProgram(cloneFlags.NEWPID, ...before, send)
  expect(execute(program()).end).not.toBe(2)
  expect(execute(program(op('exit_on_signals', {}))).end).toBe(2)
})

test('expect_other fails for the same namespace, and for no other', () => {
  const program = (path: string, other: string): Program =>
    hostProgram(
      op('open', { to: 'namespace', at: null, path, flags: openFlags.RDONLY }),
      op('expect_other', { slot: 'namespace', path: other }),
    )
  expectDone(program('/proc/self/ns/net', '/proc/self/ns/uts'))
  expectFailure(program('/proc/self/ns/net', '/proc/self/ns/net'), 'expect_other', 'EEXIST')
  expectFailure(program('/proc/self/ns/net', '/missing'), 'expect_other', 'ENOENT')
})

test('expect_process knows a process by its start time', () => {
  const startTime = readFileSync('/proc/self/stat', 'utf8').split(') ')[1]?.split(' ')[19] ?? ''
  const opened = op('open', { to: 'process', at: null, path: `/proc/${process.pid}`, flags: openFlags.PATH })
  const expected = (time: bigint): Program =>
    hostProgram(opened, op('expect_process', { process: 'process', startTime: time }))
  expectDone(expected(BigInt(startTime)))
  expectFailure(expected(BigInt(startTime) + 1n), 'expect_process', 'ESRCH')
})

asRoot.test('take_listener takes what seccomp(2) gave the new process, and fails where there is no process', () => {
  expectFailure(hostProgram(op('take_listener', { to: 'listener' })), 'take_listener', 'EINVAL')
  // Allows everything, BPF_RET | BPF_K; SECCOMP_FILTER_FLAG_NEW_LISTENER.
  const filter = new Uint8Array([6, 0, 0, 0, 0, 0, 0xff, 0x7f])
  const listening: Program = {
    host: [
      clone(),
      undoable(wait(1)),
      undoable(op('take_listener', { to: 'listener' })),
      undoable(op('close', { slot: 'listener' })),
      undoable(send(2)),
      supervise,
    ],
    stage: [],
    child: [op('seccomp', { filter, flags: 8, listener: 'mine' }), send(1), wait(2), ...look('echo taken')],
  }
  expect(expectDone(listening)).toBe('taken\n')
})
