import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterEach, expect, test } from 'vitest'
import { op } from '../../src/program/program.ts'
import { readProcessStat } from '../../src/runtime/proc.ts'
import { execute, expectFailure, hostProgram } from './runner.ts'

let child: ChildProcess | undefined
afterEach(() => child?.kill('SIGKILL'))

/** A process whose own child, the one that is waited for, it does not reap as long as its input is open. */
async function unreaped(script: string): Promise<{ readonly pid: number; readonly startTime: number }> {
  child = spawn(
    'perl',
    ['-e', `my $p = fork; exec '/bin/sh', '-c', q{${script}} unless $p; $| = 1; print "$p\\n"; <STDIN>`],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  )
  const [pid] = await once(child.stdout ?? child, 'data')
  const stat = readProcessStat(Number(pid))
  if (stat === undefined) throw new Error('there is no such process')
  return stat
}

const wait = ({ pid, startTime }: { readonly pid: number; readonly startTime: number }) =>
  hostProgram(op('wait_exit', { pid, startTime }))

test.each([
  ['exit 0', 0],
  ['sleep 0.2; exit 9', 9],
  ['kill -USR1 $$', 138],
])('wait_exit tells the status of a process that has another parent: %s', async (script, status) => {
  const process = await unreaped(script)
  expect(execute(wait(process))).toMatchObject({ end: status, reports: [{ kind: 'exited', status }] })
})

test('wait_exit of a process that is gone, or of another one of that pid, has nothing to tell', async () => {
  const gone = spawn('true')
  const { pid = 0 } = gone
  await once(gone, 'exit')
  expectFailure(wait({ pid, startTime: 1 }), 'wait_exit', 'ENODATA')
  expectFailure(wait({ pid: process.pid, startTime: 1 }), 'wait_exit', 'ENODATA')
})
