import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, expect, vi } from 'vitest'
import { ContainerPlace } from '../container.ts'
import { requires } from '../requirements.ts'

const { test } = requires('root', 'busybox', 'ps')
const { test: testWithRunc } = requires('root itself', 'busybox', 'ps', 'runc')

let place: ContainerPlace
beforeEach(async () => {
  place = new ContainerPlace()
  place.configure('sleep 1001 & sleep 1002 & exec sleep 1003')
  expect(place.tool(['run', '-d', '-b', place.bundle, place.id])).toMatchObject({ end: 0 })
  await vi.waitFor(() => expect(pids().map(commandLine)).toContain('sleep 1003'), { timeout: 10_000, interval: 20 })
})
afterEach(() => place.close())

const ps = (...args: readonly string[]) => place.tool(['ps', ...args])
const pids = (): readonly number[] => JSON.parse(ps('--format', 'json', place.id).stdout)
const commandLine = (pid: number): string => readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0').join(' ').trim()

test('json is the array of the pids, as the host sees them', () => {
  expect(pids().map(commandLine).sort()).toEqual(['sleep 1001', 'sleep 1002', 'sleep 1003'])
  expect(ps('-f', 'json', place.id).stdout).toBe(`${JSON.stringify(pids())}\n`)
})

test('the table is that of ps -ef, of these processes alone', () => {
  const { end, stdout } = ps(place.id)
  const [header, ...rows] = stdout.trimEnd().split('\n')
  expect(end).toBe(0)
  expect(header).toMatch(/^UID +PID +PPID +C +STIME +TTY +TIME +CMD$/)
  expect(rows.map((row) => row.replace(/^.* \d\d:\d\d:\d\d /, '')).sort()).toEqual([
    'sleep 1001',
    'sleep 1002',
    'sleep 1003',
  ])
})

test('what follows the ID goes to ps', () => {
  const { stdout } = ps(place.id, '-e', '-o', 'ppid,pid,args')
  const [header, ...rows] = stdout.trimEnd().split('\n')
  expect(header).toMatch(/^ *PPID +PID +COMMAND$/)
  expect(rows.map((row) => Number(row.trim().split(/\s+/)[1])).sort()).toEqual([...pids()].sort())
})

test.each([
  [['--format', 'yaml'], [], 'invalid format option'],
  [[], ['--nonsense'], 'unknown gnu long option'],
  [[], ['-o', 'args'], 'no PID column'],
])('flags %j and options %j are refused', (flags, options, message) => {
  const { end, stdout, stderr } = ps(...flags, place.id, ...options)
  expect({ end, stdout }).toEqual({ end: 1, stdout: '' })
  expect(stderr).toContain(message)
})

test('a stopped container has no processes', async () => {
  place.tool(['kill', place.id, 'KILL'])
  await vi.waitFor(() => expect(pids()).toEqual([]), { timeout: 10_000, interval: 20 })
  const { end, stdout } = ps(place.id)
  expect(end).toBe(0)
  expect(stdout.trimEnd().split('\n')).toHaveLength(1)
})

testWithRunc('runc shows the same', () => {
  const runc = (...args: string[]) => execFileSync('runc', ['--root', place.root, 'ps', ...args], { encoding: 'utf8' })
  expect(JSON.parse(runc('-f', 'json', place.id)).sort()).toEqual([...pids()].sort())
  // Column C, the CPU use of the moment, is not compared.
  const withoutUse = (table: string) => table.replaceAll(/^(\S+ +\d+ +\d+ +)\d+/gm, '$1')
  expect(withoutUse(runc(place.id))).toBe(withoutUse(ps(place.id).stdout))
})
