import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
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

test("spawn fails with the program's status and the end of what it wrote", () => {
  const { reports } = expectFailure(hostProgram(helper(['seq 100000; echo last words >&2; exit 3'])), 'spawn', 'ECHILD')
  expect(reports[0]?.status).toBe(3 << 8)
  expect(reports[0]?.detail.endsWith('last words\n')).toBe(true)
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
  expect(reports[0]).toMatchObject({ status: 3 << 8, detail: 'said\n' })
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
