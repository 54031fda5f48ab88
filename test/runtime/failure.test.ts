import { constants } from 'node:os'
import { expect, test } from 'vitest'
import { op, type Step } from '../../src/program/program.ts'
import { describeFailure } from '../../src/runtime/failure.ts'
import { syscallName } from '../../src/runtime/syscall-names.ts'

const { EPERM, ENOENT, EACCES, EBUSY, EEXIST, EPIPE, EINVAL, EXDEV } = constants.errno

function describe(step: Step, error: number, more: { status?: number; syscall?: number } = {}) {
  const failure = { step: 0, error, syscall: numberOf('mount'), pid: 0, status: 0, detail: '', ...more }
  return describeFailure([{ address: 0, phase: 'child', step }], failure)
}

function numberOf(call: string): number {
  return Array.from({ length: 1000 }, (_, number) => number).find((number) => syscallName(number) === call) ?? 0
}

const mount = (type: string): Step =>
  op('mount', { source: type, target: null, path: '/proc', type, flags: 0, data: null }, '/mounts/3')
const find = (name: string): Step => op('find_command', { name, path: '/bin' }, '/process/args')
const wait = op('sync_wait', { barrier: 1 })

test('the message says field, thing, system call and error, and where it is from', () => {
  expect(describe(mount('tmpfs'), EINVAL)).toMatchObject({
    code: 'ERR_SYSCALL',
    message: 'error mounting mounts[3] (tmpfs on /proc): mount: invalid argument (EINVAL)',
    pointer: '/mounts/3',
  })
})

test('an error that no system call gave is told without one', () => {
  expect(describe(mount('tmpfs'), EINVAL, { syscall: -1 }).message).toBe(
    'error mounting mounts[3] (tmpfs on /proc): invalid argument (EINVAL)',
  )
  expect(describe(mount('tmpfs'), EINVAL, { syscall: 999 }).message).toContain(': system call 999: invalid argument')
})

test('what newuidmap has against a map is the message, and its file the hint', () => {
  const step = op('spawn_id_map', { helper: '/usr/bin/newgidmap', map: ['0', '1', '1'] }, '/linux/gidMappings')
  const told = { step: 0, error: constants.errno.ECHILD, syscall: -1, pid: 0, status: 256 }
  const explain = (detail: string) => describeFailure([{ address: 0, phase: 'host', step }], { ...told, detail })
  expect(explain('newgidmap: gid range [0-1) -> [1-2) not allowed\n')).toMatchObject({
    code: 'ERR_PERMISSION',
    message: 'newgidmap: gid range [0-1) -> [1-2) not allowed',
    pointer: '/linux/gidMappings',
    hint: expect.stringContaining('/etc/subgid'),
  })
  expect(explain('').message).toBe('/usr/bin/newgidmap: exit status 1')
})

test('a hint says what to do about the common ones', () => {
  expect(describe(mount('proc'), EPERM).hint).toContain('{"type": "pid"}')
  expect(describe(op('clone', { flags: 0, cgroup: null }), EPERM).hint).toContain('--rootless')
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

test('a process that was killed while it was set up is told from one that ended', () => {
  expect(describe(wait, EPIPE, { status: 9 })).toMatchObject({
    message: expect.stringContaining('was killed by signal 9'),
    hint: expect.stringContaining('memory limit'),
  })
  expect(describe(wait, EPIPE, { status: 3 << 8 }).message).toContain('exited with 3')
})

test('a step outside of the program, and an error without a name, are still said', () => {
  expect(describeFailure([], { step: 7, error: 5, syscall: 1, pid: 0, status: 0, detail: '' }).message).toContain('7')
  expect(describe(mount('tmpfs'), 4000).message).toContain('error 4000')
})
