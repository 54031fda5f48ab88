import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { isAlive, isAliveSince, readProcessStat, readThreadGroup } from '../../src/runtime/proc.ts'

test('a process is distinguished from a later one with the same pid by its start time', () => {
  const stat = readProcessStat(process.pid)
  expect(stat).toMatchObject({ pid: process.pid, state: 'R' })
  const startTime = stat?.startTime ?? 0
  expect(startTime).toBeGreaterThan(0)
  expect(isAlive({ pid: process.pid, startTime })).toBe(true)
  expect(isAlive({ pid: process.pid, startTime: startTime - 1 })).toBe(false)
})

test('the process that had a pid at a time has not started after it', () => {
  const { pid } = process
  const ticks = readProcessStat(pid)?.startTime ?? 0
  expect(isAliveSince({ pid, ticks })).toBe(true)
  expect(isAliveSince({ pid, ticks: ticks + 1 })).toBe(true)
  expect(isAliveSince({ pid, ticks: ticks - 1 })).toBe(false)
  expect(isAliveSince({ pid: 0, ticks })).toBe(false)
})

test.each([0, -1, 2 ** 30])('there is no process %d', (pid) => expect(readProcessStat(pid)).toBeUndefined())

test('the name of a process may look like the rest of the line', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'proc-'))
  const program = join(directory, 'a) R 1 (b')
  copyFileSync('/bin/sleep', program)
  const child = spawn(program, ['100'])
  try {
    await once(child, 'spawn')
    const own = readProcessStat(process.pid)?.startTime ?? 0
    expect(readProcessStat(child.pid ?? 0)?.startTime).toBeGreaterThan(own)
  } finally {
    child.kill('SIGKILL')
    rmSync(directory, { recursive: true })
  }
})

test('a thread belongs to its process', () => {
  const threads = readdirSync('/proc/self/task').map(Number)
  expect(threads.length).toBeGreaterThan(1)
  expect(new Set(threads.map(readThreadGroup))).toEqual(new Set([process.pid]))
  expect(readThreadGroup(2 ** 30)).toBeUndefined()
})
