import { spawnSync } from 'node:child_process'
import { chmodSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test as plainTest } from 'vitest'
import { encode } from '../../src/program/encode.ts'
import { op, type Program, type Step, undoable } from '../../src/program/program.ts'
import { requires } from '../requirements.ts'
import { childProgram, execute, expectDone, expectFailure, hostProgram, look, runnerPath } from './runner.ts'

const { test } = requires('root', 'prlimit')

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'stdio-ops-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

/** (uid_t)-1 and (gid_t)-1 */
const unchanged = 0xffff_ffff

const prepare = (relay: 0 | 1, uid = unchanged, gid = unchanged): Step => op('prepare_stdio', { relay, uid, gid })

/** A child that gets what the host has prepared. */
function relayed(script: string, step: Step = prepare(1)): Program {
  const { host, child } = childProgram(0, op('take_stdio', {}), ...look(script))
  return { host: [undoable(step), ...host], stage: [], child }
}

const show = 'for fd in 0 1 2; do readlink /proc/self/fd/$fd; done'

/** Runs a program with whatever a shell makes of the runner's descriptors 0 to 2. */
function executeIn(redirections: string, program: Program) {
  const path = join(directory, 'program')
  writeFileSync(path, encode(program), { mode: 0o600 })
  const descriptors = [openSync(path, 'r'), openSync(join(directory, 'reports'), 'w')]
  try {
    return spawnSync('/bin/sh', ['-c', `exec "$@" ${redirections}`, 'sh', runnerPath, '3', '4', 'test'], {
      stdio: ['ignore', 'pipe', 'pipe', ...descriptors],
      cwd: directory,
      timeout: 10_000,
    }).status
  } finally {
    for (const descriptor of descriptors) closeSync(descriptor)
  }
}

test('prepare_stdio makes pipes in place of files, which take_stdio takes, and relays them', () => {
  const [stdinFile, stdoutFile] = ['input', 'output'].map((name) => join(directory, name)) as [string, string]
  writeFileSync(stdinFile, 'content\n')
  expectDone(relayed(`cat; ${show}`), { stdinFile, stdoutFile })
  expect(readFileSync(stdoutFile, 'utf8')).toMatch(/^content\npipe:\[\d+\]\npipe:\[\d+\]\n(pipe|socket):\[\d+\]\n$/)
})

test('without the relay, and for null devices and sockets, prepare_stdio makes nothing', () => {
  const stdoutFile = join(directory, 'output')
  writeFileSync(stdoutFile, '')
  expectDone(relayed(show, prepare(0)), { stdinFile: '/dev/null', stdoutFile })
  expect(readFileSync(stdoutFile, 'utf8').split('\n').slice(0, 2)).toEqual(['/dev/null', stdoutFile])
  // spawnSync gives sockets.
  expect(expectDone(relayed(show))).toMatch(/^(socket:\[\d+\]\n){3}$/)
})

test('prepare_stdio makes one pipe of two descriptors that are one', () => {
  const inodes = 'stat -Lc %i /proc/self/fd/1 /proc/self/fd/2 >/dev/stdout'
  expect(executeIn('>both 2>&1', relayed(inodes))).toBe(0)
  const [first, second] = readFileSync(join(directory, 'both'), 'utf8').split('\n')
  expect(second).toBe(first)
  expect(executeIn('>one 2>other', relayed(inodes))).toBe(0)
  const [third, fourth] = readFileSync(join(directory, 'one'), 'utf8').split('\n')
  expect(fourth).not.toBe(third)
})

test('prepare_stdio gives pipes to a user, its own and those of the caller', () => {
  const owners = relayed('stat -Lc %u:%g /proc/self/fd/0 /proc/self/fd/1', prepare(1, 1000, 2000))
  writeFileSync(join(directory, 'file'), '')
  const before = statSync(join(directory, 'file'))
  expect(executeIn('<file >out', owners)).toBe(0)
  expect(readFileSync(join(directory, 'out'), 'utf8')).toBe('1000:2000\n1000:2000\n')
  expect(statSync(join(directory, 'file'))).toMatchObject({ uid: before.uid, gid: before.gid })
  expect(executeIn('</dev/null | cat >piped', relayed('stat -Lc %u:%g /proc/self/fd/1', prepare(0, 1000, 2000)))).toBe(
    0,
  )
  expect(readFileSync(join(directory, 'piped'), 'utf8')).toBe('1000:2000\n')
})

test('prepare_stdio fails for a directory, and says which descriptor it is', () => {
  for (const relay of [0, 1] as const) {
    const { reports } = execute(hostProgram(prepare(relay)), { stdinFile: directory })
    expect(reports).toMatchObject([{ kind: 'failed', error: 'EISDIR', status: 0 }])
  }
  expectFailure(hostProgram(prepare(1)), 'prepare_stdio', 'EISDIR', { stdinFile: '/' })
  expect(executeIn('>/dev/null 2</', hostProgram(prepare(1)))).toBe(1)
})

test('what cannot be written is reported at prepare_stdio, with the descriptor and the error', () => {
  const { end, reports } = execute(relayed('echo lost'), { stdoutFile: '/dev/full' })
  expect(end).toBe(1)
  expect(reports).toMatchObject([{ kind: 'failed', step: 0, error: 'ENOSPC', status: 1 }])
})

test('take_stdio fails when a pipe is not there any more', () => {
  const { host, child } = childProgram(0, op('close_from', { first: 3 }), op('take_stdio', {}), ...look('true'))
  const program = { host: [undoable(prepare(1)), ...host], stage: [], child }
  expectFailure(program, 'take_stdio', 'EBADF', { stdoutFile: join(directory, 'output') })
})

test('expect_descriptors fails with EMFILE where fewer are allowed', () => {
  const expectCount = (count: number) => hostProgram(op('expect_descriptors', { count }))
  expectDone(expectCount(3))
  expectFailure(expectCount(2 ** 31), 'expect_descriptors', 'EMFILE')
  const path = join(directory, 'program')
  writeFileSync(path, encode(expectCount(21)), { mode: 0o600 })
  chmodSync(path, 0o600)
  for (const [limit, status] of [
    [21, 0],
    [20, 1],
  ]) {
    const command = `exec prlimit --nofile=${limit} "$@" 3<program 4>/dev/null`
    const words = ['-c', command, 'sh', runnerPath, '3', '4', 'test']
    expect(spawnSync('/bin/sh', words, { cwd: directory }).status).toBe(status)
  }
})

plainTest('the runner restores the limit of descriptors that the caller has set, and keeps that to itself', () => {
  const soft = 123
  const script = 'ulimit -Sn; [ "$(ulimit -Hn)" != 123 ] && env | grep -c BUNDLE_TOOL_NOFILE'
  const env = { BUNDLE_TOOL_NOFILE: String(soft), PATH: '/usr/bin:/bin' }
  const spawn = op('spawn', {
    path: '/bin/sh',
    argv: ['sh', '-c', `(${script}) > ${join(directory, 'limit')}; true`],
    env: [],
    input: '',
    timeoutMs: -1,
    inheritEnv: 1,
  })
  expectDone(hostProgram(spawn), { env })
  expect(readFileSync(join(directory, 'limit'), 'utf8')).toBe('123\n0\n')
})
