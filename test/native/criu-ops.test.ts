import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect } from 'vitest'
import { proceed } from '../../src/compile/criu.ts'
import { encodeMessage } from '../../src/compile/criu-message.ts'
import { openFlags } from '../../src/program/flags.ts'
import { op, type Program, type Step } from '../../src/program/program.ts'
import { FakeCriu } from '../fake-criu.ts'
import { requires } from '../requirements.ts'
import { execute, expectFailure, hostProgram } from './runner.ts'

const { test } = requires('perl')

/** (uid_t)-1 and (gid_t)-1 */
const unchanged = 0xffff_ffff

let directory = ''
let criu: FakeCriu
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'criu-ops-'))
  criu = new FakeCriu(directory)
})
afterEach(() => rmSync(directory, { recursive: true }))

const wait = (script: string | null): Step => op('criu_wait', { terminal: 'terminal', socket: 'criu', script })
const program = (type: number, ...steps: readonly Step[]): Program =>
  hostProgram(
    op('criu_start', { to: 'criu', path: criu.path }),
    op('criu_send', {
      socket: 'criu',
      message: encodeMessage([
        [1, type],
        [2, [[10, 'a log']]],
      ]),
    }),
    ...steps,
  )
const keep = (name: string): Step =>
  op('write_file', {
    at: null,
    path: join(directory, name),
    content: [{ register: 'pid' }],
    flags: openFlags.CREAT,
    mode: 0o600,
  })

test('criu_start gives CRIU pipes in place of files of the caller', () => {
  const [stdinFile, stdoutFile] = ['input', 'output'].map((name) => join(directory, name)) as [string, string]
  writeFileSync(stdinFile, '')
  const steps = [op('prepare_stdio', { relay: 1, uid: unchanged, gid: unchanged }), ...program(1, wait(null)).host]
  expect(execute(hostProgram(...steps), { stdinFile, stdoutFile })).toMatchObject({ end: 0, reports: [] })
  expect(criu.descriptors).toEqual([
    expect.stringMatching(/^pipe:/),
    expect.stringMatching(/^pipe:/),
    expect.anything(),
  ])
})

test('criu_wait lets CRIU go on until its end', () => {
  expect(execute(program(1, wait(null)))).toMatchObject({ end: 0, reports: [] })
  expect(criu.request()).toEqual({ type: 1, options: new Map([[10, ['a log']]]) })
})

test('criu_wait stops at a notification, whose process is the new one', () => {
  const steps = [wait('post-restore'), keep('pid'), op('criu_send', { socket: 'criu', message: proceed }), wait(null)]
  const { reports } = execute(program(2, ...steps, op('ready', {})))
  expect(reports).toMatchObject([{ kind: 'ready' }])
  process.kill(Number(readFileSync(join(directory, 'pid'), 'utf8')), 'SIGKILL')
})

test('criu_wait tells the reason of a failure, and fails when CRIU dies or comes to an end too early', () => {
  criu.let('fails')
  const { reports } = expectFailure(program(1, wait(null)), 'criu_wait', 'EIO')
  expect(reports).toMatchObject([{ status: 5, detail: 'no such luck' }])
  criu.let('dies')
  expectFailure(program(1, wait(null)), 'criu_wait', 'EPIPE')
  expectFailure(hostProgram(op('criu_start', { to: 'criu', path: '/nonexistent' }), wait(null)), 'criu_wait', 'EPIPE')
  const noSocket = op('open', { to: 'criu', at: null, path: directory, flags: openFlags.PATH })
  expectFailure(hostProgram(noSocket, op('criu_send', { socket: 'criu', message: proceed })), 'criu_send', 'EBADF')
})

test('criu_wait for a notification that never comes is an error', () => {
  expectFailure(program(1, wait('post-restore')), 'criu_wait', 'EPROTO')
})

test('criu_directory wants a directory', () => {
  const file = join(directory, 'file')
  writeFileSync(file, '')
  expectFailure(hostProgram(op('criu_directory', { path: file, fd: 4 })), 'criu_directory', 'ENOTDIR')
  expectFailure(hostProgram(op('criu_directory', { path: `${file}s`, fd: 4 })), 'criu_directory', 'ENOENT')
  mkdirSync(`${file}s`)
  expect(execute(hostProgram(op('criu_directory', { path: `${file}s`, fd: 9 })))).toMatchObject({ end: 0, reports: [] })
})
