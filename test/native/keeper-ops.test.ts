import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect } from 'vitest'
import { openFlags } from '../../src/program/flags.ts'
import { op, type Program, type Step, undoable } from '../../src/program/program.ts'
import { requires } from '../requirements.ts'
import { execute, expectDone, expectFailure, hostProgram, look } from './runner.ts'

const { test } = requires('root')

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'keeper-ops-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

const record = (): string => join(directory, 'keeper')
const beside = (script: string, ready = 1): Step =>
  op('accompany', {
    argv: ['/bin/sh', '-c', script],
    network: 'network',
    user: null,
    at: '/proc/version',
    ready,
    record: record(),
  })

/** A process that looks, after a program beside it is ready. */
const program = (script: string, step: Step, ...later: readonly Step[]): Program => ({
  host: [
    undoable(op('open', { to: 'network', at: null, path: '/proc/self/ns/net', flags: openFlags.RDONLY })),
    undoable(op('clone', { flags: 0, cgroup: null }), op('kill_child', {})),
    undoable(step, op('end_recorded', { path: record(), wait: 1 })),
    ...later.map((one) => undoable(one)),
    undoable(op('sync_send', { barrier: 1 })),
    undoable(op('supervise', { terminal: null, keep: 0, unheard: 0 })),
  ],
  stage: [],
  child: [op('sync_wait', { barrier: 1 }), ...look(script)],
})

const isThere = 'while read -r pid start; do cut -d" " -f22 /proc/$pid/stat; echo $start; done <'

test('accompany runs a program in namespaces of its own, records its keeper, and waits until it is ready', () => {
  const script = `{ readlink /proc/self/ns/pid /proc/self/ns/net; stat -Lc %i /proc/version; echo $PPID; } >${directory}/seen
    echo ready >&3; exec 3>&-; exec sleep 30`
  const shown = expectDone(
    program(`${isThere} ${record()}; cat ${directory}/seen; readlink /proc/self/ns/pid`, beside(script, 3)),
  )
  const [start, recorded, own, network = '', inode, parent, pid] = shown.trim().split('\n')
  expect(start).toBe(recorded)
  expect(own).not.toBe(pid)
  expect(network).toBe(`net:[${inode}]`)
  expect(parent).toBe('1')
})

test('accompany ends the program with the process, or with its keeper, and end_recorded with the record', async () => {
  const helper = `exec 2>&1; echo $(readlink /proc/self) >${directory}/pid; echo ready; exec sleep 30`
  const pid = (): string => readFileSync(join(directory, 'pid'), 'utf8').trim()
  const isGone = `! kill -0 $(cat ${directory}/pid) 2>/dev/null`
  expectDone(program('true', beside(helper)))
  expectDone(hostProgram(op('end_recorded', { path: record(), wait: 1 })))
  for (const way of [`kill -9 $(cut -d' ' -f1 ${record()})`]) {
    rmSync(record())
    expectDone(
      program(`${way}; for i in 1 2 3 4 5 6 7 8 9; do ${isGone} && exit; sleep 0.1; done; exit 1`, beside(helper)),
    )
  }
  expect(() => process.kill(Number(pid()), 0)).toThrow('ESRCH')
  const other = spawn('sleep', ['1000'], { stdio: 'ignore' })
  const start = readFileSync(`/proc/${other.pid}/stat`, 'utf8').split(' ')[21]
  writeFileSync(record(), `${other.pid} ${start}\n`, { mode: 0o600 })
  const ended = once(other, 'exit')
  expectDone(hostProgram(op('end_recorded', { path: record(), wait: 0 })))
  expect((await ended)[1]).toBe('SIGKILL')
  writeFileSync(record(), `${process.pid} 1\n`, { mode: 0o600 })
  expectDone(hostProgram(op('end_recorded', { path: record(), wait: 1 }))) // another process has this pid now
  writeFileSync(record(), 'nothing', { mode: 0o600 })
  expectFailure(hostProgram(op('end_recorded', { path: record(), wait: 1 })), 'end_recorded', 'EPROTO')
})

test('accompany reports what a program says that ends before it is ready, and its status', () => {
  const failed = execute(program('true', beside('echo no way >&2; exit 3', 3)))
  expect(failed.reports).toMatchObject([{ kind: 'failed', error: 'ECHILD', status: 3 << 8, detail: 'no way\n' }])
  const missing = { ...beside('true'), operands: { ...beside('true').operands, argv: ['/nothing'] } }
  expectFailure(program('true', missing), 'accompany', 'ECHILD')
  const nowhere = { ...beside('true'), operands: { ...beside('true').operands, at: '/nothing' } }
  expect(expectFailure(program('true', nowhere), 'accompany', 'ENOENT').reports[0]).toMatchObject({ call: 'mount' })
})

test('ask sends a request and fails unless the reply begins as expected', async () => {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    let request = ''
    socket.on('data', (data) => {
      request += data
    })
    socket.on('end', () => socket.end(`{"return":"${request}"}`))
  })
  await new Promise<void>((done) => server.listen(join(directory, 'socket'), done))
  try {
    const open = op('open', { to: 'directory', at: null, path: directory, flags: openFlags.PATH })
    const ask = (path: string, answer: string): Step => op('ask', { at: 'directory', path, request: 'hello', answer })
    const run = async (step: Step) => {
      // Elsewhere, since this process has to answer.
      const { encode } = await import('../../src/program/encode.ts')
      const { spawn } = await import('node:child_process')
      writeFileSync(join(directory, 'program'), encode(hostProgram(open, step)), { mode: 0o600 })
      const { runnerPath } = await import('./runner.ts')
      const script = `exec "${runnerPath}" 3 4 id 3<${directory}/program 4>${directory}/report`
      const child = spawn('sh', ['-c', script], { stdio: 'inherit' })
      const code = await new Promise((done) => child.on('exit', done))
      const { parseReports } = await import('../../src/runtime/execute.ts')
      return { code, reports: parseReports(readFileSync(join(directory, 'report'))) }
    }
    expect(await run(ask('socket', '{"return":"hello"'))).toMatchObject({ code: 0 })
    expect(await run(ask('socket', '{"error"'))).toMatchObject({
      code: 1,
      reports: [{ error: 71, detail: '{"return":"hello"}' }],
    })
    expect(await run(ask('missing', ''))).toMatchObject({ code: 1, reports: [{ error: 2 }] })
  } finally {
    server.close()
  }
})
