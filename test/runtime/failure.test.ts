import { constants } from 'node:os'
import { expect, test } from 'vitest'
import { cloneFlags } from '../../src/program/flags.ts'
import type { Phase } from '../../src/program/ops.ts'
import { op, type Step, type Text } from '../../src/program/program.ts'
import { describeFailure } from '../../src/runtime/failure.ts'
import type { Failure } from '../../src/runtime/reported-failure.ts'
import { syscallName } from '../../src/runtime/syscall-names.ts'

const { EPERM, ENOENT, ESRCH, EINTR, EBADF, ECHILD, EACCES, EBUSY, EEXIST, EPIPE, EINVAL, EXDEV, ENOSPC } =
  constants.errno

const nothing = { step: 0, syscall: numberOf('mount'), pid: 0, status: 0, end: 0, detail: '' }

function describe(step: Step, error: number, more: Partial<Failure> = {}, phase: Phase = 'child') {
  return describeFailure([{ address: 0, phase, step }], { ...nothing, error, ...more })
}

function numberOf(call: string): number {
  return Array.from({ length: 1000 }, (_, number) => number).find((number) => syscallName(number) === call) ?? 0
}

const mount = (type: string): Step =>
  op('mount', { source: type, target: null, path: '/proc', type, flags: 0, data: null }, '/mounts/3')
const find = (name: string): Step => op('find_command', { name, path: '/bin' }, '/process/args')

test('the message has the field, the thing, the system call and the error, and the error its pointer', () => {
  expect(describe(mount('tmpfs'), EINVAL)).toMatchObject({
    code: 'ERR_SYSCALL',
    message: 'error mounting mounts[3] (tmpfs on /proc): mount: invalid argument (EINVAL)',
    pointer: '/mounts/3',
  })
})

test('a container that ends while exec looks at its first process is a stopped one', () => {
  const flags = 0
  const looks = [
    [op('open', { to: 'init', at: null, path: '/proc/7', flags }), ENOENT],
    [op('open', { to: 'ns_ipc', at: 'init', path: 'ns/ipc', flags }), ENOENT],
    [op('open', { to: 'ns_ipc', at: 'init', path: 'ns/ipc', flags }), ESRCH],
    [op('expect_process', { process: 'init', startTime: 1 }), ESRCH],
  ] as const
  for (const [step, error] of looks) {
    expect(describe(step, error, {}, 'host')).toMatchObject({
      code: 'ERR_CONTAINER_STATUS',
      message: 'cannot exec in a stopped container',
    })
  }
  expect(describe(op('open', { to: 'x', at: null, path: '/proc/7', flags }), ENOENT).code).toBe('ERR_SYSCALL')
})

test('an error without a system call names none', () => {
  expect(describe(mount('tmpfs'), EINVAL, { syscall: -1 }).message).toBe(
    'error mounting mounts[3] (tmpfs on /proc): invalid argument (EINVAL)',
  )
  expect(describe(mount('tmpfs'), EINVAL, { syscall: 999 }).message).toContain(': system call 999: invalid argument')
})

test('the message is that of newuidmap, and the hint names its file', () => {
  const step = op('spawn_id_map', { helper: '/usr/bin/newgidmap', map: ['0', '1', '1'] }, '/linux/gidMappings')
  const told = { ...nothing, error: constants.errno.ECHILD, status: 256 }
  const explain = (detail: string) => describeFailure([{ address: 0, phase: 'host', step }], { ...told, detail })
  expect(explain('newgidmap: gid range [0-1) -> [1-2) not allowed\n')).toMatchObject({
    code: 'ERR_PERMISSION',
    message: 'newgidmap: gid range [0-1) -> [1-2) not allowed',
    pointer: '/linux/gidMappings',
    hint: expect.stringContaining('/etc/subgid'),
  })
  expect(explain('').message).toBe('/usr/bin/newgidmap: exit status 1')
})

test('common errors have a hint', () => {
  expect(describe(mount('proc'), EPERM).hint).toContain('{"type": "pid"}')
  expect(describe(op('clone', { flags: cloneFlags.NEWUSER, cgroup: null }), EPERM).hint).toContain(
    'users may not create user namespaces',
  )
  expect(describe(op('mkdir', { at: null, path: '/run/x', mode: 0 }, 'ID'), EACCES).hint).toContain('--root')
})

test.each([
  [find('tool'), ENOENT, 'ERR_COMMAND_NOT_FOUND', 'exec: "tool": executable file not found in $PATH'],
  [find('/bin/tool'), ENOENT, 'ERR_COMMAND_NOT_FOUND', 'exec: "/bin/tool": no such file or directory'],
  [find('/bin/tool'), EACCES, 'ERR_COMMAND_NOT_EXECUTABLE', 'exec: "/bin/tool": permission denied'],
  [op('mkdir', { at: null, path: '/r/x', mode: 0 }, 'ID'), EEXIST, 'ERR_CONTAINER_EXISTS', 'already exists'],
  [op('cgroup_make', { path: '/c/x', levels: 0 }), EBUSY, 'ERR_SYSCALL', "container's cgroup is not empty: /c/x"],
  [
    op('expect_not', { path: '/c', content: 'F', unlessMade: 0 }),
    EBUSY,
    'ERR_SYSCALL',
    "container's cgroup unexpectedly frozen: /c",
  ],
  [op('chdir', { path: '/x' }), EXDEV, 'ERR_SYSCALL', 'outside of container mount namespace root'],
])('%o: error %i is %s', (step, error, code, words) => {
  const failure = describe(step, error)
  expect(failure.code).toBe(code)
  expect(failure.message).toContain(words)
})

const ofProcess = (file: string) => ['/proc/', { register: 'pid' } as const, file]
const write = (path: Text, content: Text, from = ''): Step =>
  op('write_file', { at: null, path, content, flags: 0, mode: 0 }, from)
const spawn = (from: string): Step =>
  op(
    'spawn',
    { path: '/bin/x', argv: ['x'], env: [], input: [{ register: 'pid' }], timeoutMs: -1, inheritEnv: 1 },
    from,
  )
const killed = { end: 9 + 1 }

test.each<[Step, number]>([
  [op('sync_send', { barrier: 1 }), EPIPE],
  [op('sync_wait', { barrier: 1 }), EPIPE],
  [op('sync_within', { barrier: 1, timeoutMs: 5 }), EPIPE],
  [op('receive_fd', { to: 'x' }), EPIPE],
  [op('send_fd', { socket: null, slot: 'x', name: 'x' }), EPIPE],
  [op('identify', {}), ESRCH],
  [op('open_pidfd', { to: 'x' }), ESRCH],
  [op('take_listener', { to: 'x' }), EBADF],
  [op('prlimit', { resource: 1, soft: 1, hard: 1 }), ESRCH],
  [op('spawn_id_map', { helper: '/bin/newuidmap', map: [] }), ECHILD],
  [op('clone', { flags: 0, cgroup: 'unified' }), EPIPE],
  [op('open', { to: 'x', at: 'proc', path: [{ register: 'pid' }, '/ns/net'], flags: 0 }), ENOENT],
  [write(ofProcess('/uid_map'), '0 1 1'), ENOENT],
  [write('/sys/fs/cgroup/x/cgroup.procs', [{ register: 'pid' }]), ESRCH],
  [write(['/sys/fs/cgroup/pids/', { register: 'id' }, '/tasks'], [{ register: 'pid' }]), ESRCH],
  [spawn('/linux/cgroupsPath'), ECHILD],
])('%o: the end of the new process is given as the reason for error %i', (step, error) => {
  expect(describe(step, error, killed, 'host')).toMatchObject({
    message: 'the new process was killed by signal 9 while it was being set up',
    hint: expect.stringContaining('memory limit'),
  })
  expect(describe(step, error, { end: (3 << 8) + 1 }, 'host').message).toContain('exited with 3')
  expect(describe(step, error, { ...killed, detail: 'low 0\noom_kill 1\n' }, 'host')).toMatchObject({
    message: 'container init was OOM-killed (memory limit too low?)',
    pointer: '/linux/resources/memory/limit',
  })
  expect(describe(step, error, {}, 'host').message).not.toContain('while it was being set up')
  // The report of the new process itself takes precedence.
  expect(describe(step, error, killed, 'child').message).not.toContain('while it was being set up')
})

test.each<[Step, number, string]>([
  [op('open', { to: 'x', at: null, path: '/no/such', flags: 0 }), ENOENT, '/no/such'],
  [write('/run/x/.state.json', [{ register: 'pid' }]), ENOSPC, 'no space left'],
  [write([{ register: 'pid_file' }, '.new'], [{ register: 'pid' }], '--pid-file'), ENOENT, '--pid-file ({pid_file})'],
  [write('/sys/fs/cgroup/x/memory.max', '4096', '/linux/resources/memory/limit'), EBUSY, 'memory.limit'],
  [spawn('/hooks/createRuntime/0'), ECHILD, 'error running createRuntime hook #0'],
  [op('send_fd', { socket: 'console', slot: 'x', name: 'x' }), EPIPE, 'broken pipe'],
])('%o: an error that is unrelated to the new process is reported as such, error %i', (step, error, words) => {
  expect(describe(step, error, { ...killed, status: 256 }, 'host').message).toContain(words)
})

test("the error for a container names the container's first process", () => {
  const mkdir = op('mkdir', { at: null, path: '/run/x', mode: 0 }, 'ID')
  const steps = [mkdir, op('sync_wait', { barrier: 1 })].map(
    (step, address) => ({ address, phase: 'host', step }) as const,
  )
  expect(describeFailure(steps, { ...nothing, ...killed, step: 1, error: EPIPE }).message).toBe(
    "the container's first process was killed by signal 9 while it was being set up",
  )
})

test('a host step that a signal ended is reported so, also a hook', () => {
  for (const step of [op('sync_wait', { barrier: 1 }), spawn('/hooks/createRuntime/0')]) {
    expect(describe(step, EINTR, {}, 'host')).toMatchObject({
      code: 'ERR_INTERRUPTED',
      message: 'ended by a signal before it was complete; everything it had done is undone',
    })
  }
})

test('a step outside the program, and an error without a name, are still reported', () => {
  expect(describeFailure([], { ...nothing, step: 7, error: 5 }).message).toContain('7')
  expect(describe(mount('tmpfs'), 4000).message).toContain('error 4000')
})
