import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openFlags } from '../../src/program/flags.ts'
import { op, type Program, type Step, undoable } from '../../src/program/program.ts'
import { expectDone, expectFailure, hostProgram, look } from './runner.ts'

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'spawn-ops-'))
})
afterEach(() => rmSync(directory, { recursive: true }))
const path = (name: string): string => join(directory, name)

const clone = undoable(op('clone', { flags: 0, cgroup: null }), op('kill_child', {}))
const supervise = undoable(op('supervise', { terminal: null, keep: 0, unheard: 0 }))
const send = (barrier: number): Step => op('sync_send', { barrier })
const wait = (barrier: number): Step => op('sync_wait', { barrier })

const helper = (argv: readonly string[], timeoutMs = -1, input: string = ''): Step =>
  op('spawn', { path: '/bin/sh', argv: ['sh', '-c', ...argv], env: ['A=b'], input, timeoutMs, inheritEnv: 0 })

test('spawn gives its input to a program and waits for it', () => {
  expectDone(hostProgram(helper([`cat > ${path('got')}; echo "$A" >> ${path('got')}`], -1, 'state\n')))
  expect(readFileSync(path('got'), 'utf8')).toBe('state\nb\n')
})

test("spawn fails with the program's status and the end of what it wrote to either output", () => {
  const { reports } = expectFailure(
    hostProgram(helper(['seq 100000; seq 200000 >&2; echo last words >&2; exit 3'])),
    'spawn',
    'ECHILD',
  )
  expect(reports[0]?.status).toBe(3 << 8)
  expect(reports[0]?.detail).toMatch(/99999\n100000\n\x1f[^\x1f]*199999\n200000\nlast words\n$/)
})

test('what a program wrote that ended well is not in the report of a later failure', () => {
  const steps = [helper(['echo all is well']), op('chdir', { path: '/missing' })]
  const { reports } = expectFailure(hostProgram(...steps), 'chdir', 'ENOENT')
  expect(reports[0]?.detail).toBe('')
})

test('helper_output gives programs files to write to, and their errors what they write elsewhere', () => {
  const flags = openFlags.WRONLY | openFlags.CREAT | openFlags.APPEND
  writeFileSync(path('out'), 'before\n')
  const output = (stdout: string | null, stderr: string | null): Step => op('helper_output', { stdout, stderr })
  const script = helper(['echo out; echo err >&2; exit 3'])
  const open = (name: string): Step => op('open', { to: name, at: null, path: path(name), flags })
  const first = expectFailure(hostProgram(open('out'), output('out', null), script), 'spawn', 'ECHILD')
  expect(first.reports[0]?.detail).toBe('\x1ferr\n')
  const steps = [open('out'), open('err'), output('out', 'err'), op('close_slots', { first: null, second: null })]
  expect(expectFailure(hostProgram(...steps, script), 'spawn', 'ECHILD').reports[0]?.detail).toBe('\x1f')
  expect(readFileSync(path('out'), 'utf8')).toBe('before\nout\nout\n')
  expect(readFileSync(path('err'), 'utf8')).toBe('err\n')
})

test('spawn does not mind a program that leaves its input unread', () => {
  expectDone(hostProgram(helper(['exec true'], -1, 'x'.repeat(60_000))))
})

test('spawn gives and takes much at once without waiting for the one or the other', () => {
  const input = 'x'.repeat(200_000)
  expectFailure(hostProgram(helper(['exec sleep 100'], 300, input)), 'spawn', 'ETIMEDOUT', { timeoutMs: 3000 })
  expectDone(hostProgram(helper(['cat; cat > /dev/null'], 3000, input)))
})

test('spawn kills a program that takes longer than it may', () => {
  for (const script of ['sleep 100', 'while :; do echo still here; sleep 0.01; done']) {
    expectFailure(hostProgram(helper([script], 200)), 'spawn', 'ETIMEDOUT', { timeoutMs: 3000 })
  }
})

test('spawn does not wait for what a program leaves running with its output open', () => {
  const started = Date.now()
  const { reports } = expectFailure(hostProgram(helper(['sleep 5 & echo said; exit 3'])), 'spawn', 'ECHILD')
  expect(reports[0]).toMatchObject({ status: 3 << 8, detail: 'said\n\x1f' })
  expect(Date.now() - started).toBeLessThan(4000)
})

test('spawn of a program that is not there exits with 127', () => {
  const missing = op('spawn', { path: '/no/such', argv: ['x'], env: [], input: '', timeoutMs: -1, inheritEnv: 0 })
  expect(expectFailure(hostProgram(missing), 'spawn', 'ECHILD').reports[0]?.status).toBe(127 << 8)
})

test('spawn_id_map passes the pid and the map to the helper', () => {
  writeFileSync(path('helper'), `#!/bin/sh\necho "$@" > ${path('args')}\n`, { mode: 0o755 })
  const map = (map: readonly string[]): Step => op('spawn_id_map', { helper: path('helper'), map })
  const program = (words: readonly string[]): Program => ({
    host: [clone, undoable(map(words)), undoable(send(1)), supervise],
    stage: [],
    child: [wait(1), ...look('echo $$')],
  })
  const pid = expectDone(program(['0', '1000', '1', '1', '100000', '65536'])).trim()
  expect(readFileSync(path('args'), 'utf8')).toBe(`${pid} 0 1000 1 1 100000 65536\n`)
  expectFailure(program(Array.from({ length: 3 * 341 }, () => '1')), 'spawn_id_map', 'E2BIG')
})
