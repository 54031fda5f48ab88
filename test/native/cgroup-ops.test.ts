import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { deviceFilter } from '../../src/compile/cgroup/device-filter.ts'
import { readHostFacts } from '../../src/host/facts.ts'
import { openFlags } from '../../src/program/flags.ts'
import { op } from '../../src/program/program.ts'
import { randomRules } from '../compile/cgroup/random-device-rules.ts'
import { requires } from '../requirements.ts'
import { expectDone, expectFailure, hostProgram } from './runner.ts'

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cgroup-ops-'))
})
afterEach(() => rmSync(directory, { recursive: true }))
const path = (name: string): string => join(directory, name)

const unified = readHostFacts().cgroups.hierarchies.find(({ isUnified }) => isUnified)
const cgroup = join(unified?.mountPoint ?? '/sys/fs/cgroup', `bundle-tool-native-test-${process.pid}`)
const inCgroup = requires('root').test
const children: ChildProcess[] = []
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
})

function processIn(directory: string): ChildProcess {
  const child = spawn('sleep', ['1000'], { stdio: 'ignore' })
  children.push(child)
  writeFileSync(join(directory, 'cgroup.procs'), String(child.pid))
  return child
}

test.each([
  ['', 'of the parent\n'],
  ['\n', 'of the parent\n'],
  ['own\n', 'own\n'],
])('copy_if_empty makes %j into %j', (before, after) => {
  writeFileSync(path('above'), 'of the parent\n')
  writeFileSync(path('below'), before)
  expectDone(hostProgram(op('copy_if_empty', { from: path('above'), to: path('below') })))
  expect(readFileSync(path('below'), 'utf8')).toBe(after)
})

test('copy_if_empty fails where one of the files is missing', () => {
  writeFileSync(path('below'), '')
  expectFailure(hostProgram(op('copy_if_empty', { from: path('no'), to: path('below') })), 'copy_if_empty', 'ENOENT')
  expectFailure(hostProgram(op('copy_if_empty', { from: path('below'), to: path('no') })), 'copy_if_empty', 'ENOENT')
})

test('cgroup_make makes one, or takes one that is there and has no process', () => {
  const program = () => hostProgram(op('cgroup_make', { path: path('own'), levels: 0 }))
  expectDone(program())
  expect(statSync(path('own')).mode & 0o777).toBe(0o755)
  expectFailure(program(), 'cgroup_make', 'ENOENT') // no cgroup
  writeFileSync(path('own/cgroup.procs'), '')
  expectDone(program())
  writeFileSync(path('own/cgroup.procs'), '1\n')
  expectFailure(program(), 'cgroup_make', 'EBUSY')
  expectFailure(hostProgram(op('cgroup_make', { path: path('no/own'), levels: 0 })), 'cgroup_make', 'ENOENT')
  expectDone(hostProgram(op('cgroup_make', { path: path('no/own'), levels: 1 })))
  expectFailure(hostProgram(op('cgroup_make', { path: path('a/b/c/d'), levels: 2 })), 'cgroup_make', 'ENOENT')
  expectDone(hostProgram(op('cgroup_make', { path: path('a/b/c/d'), levels: 3 })))
  expect(statSync(path('a/b/c/d')).isDirectory()).toBe(true)
  writeFileSync(path('file'), '')
  expectFailure(hostProgram(op('cgroup_make', { path: path('file'), levels: 0 })), 'cgroup_make', 'ENOTDIR')
})

test('enable_controllers turns on all that there are, in one write', () => {
  writeFileSync(path('cgroup.controllers'), 'cpuset cpu io\n')
  writeFileSync(path('cgroup.subtree_control'), '')
  expectDone(hostProgram(op('enable_controllers', { path: directory })))
  expect(readFileSync(path('cgroup.subtree_control'), 'utf8')).toBe('+cpuset +cpu +io')
  writeFileSync(path('cgroup.controllers'), '\n')
  writeFileSync(path('cgroup.subtree_control'), '')
  expectDone(hostProgram(op('enable_controllers', { path: directory })))
  expect(readFileSync(path('cgroup.subtree_control'), 'utf8')).toBe('')
})

test('enable_controllers turns on those that can be, where one is refused and that is tolerated', () => {
  const control = path('cgroup.subtree_control')
  writeFileSync(path('cgroup.controllers'), 'cpuset cpu io\n')
  symlinkSync('/dev/full', control)
  const step = op('enable_controllers', { path: directory })
  expectFailure(hostProgram(step), 'enable_controllers', 'ENOSPC')
  rmSync(control)
  expectFailure(hostProgram(step), 'enable_controllers', 'ENOENT')
  expectDone(hostProgram(op('enable_controllers', { path: path('no') }, '', 'ENOENT')))
})

inCgroup('enable_controllers goes on with the next one when the kernel refuses one', () => {
  const { controllers, control } = controllersOf(cgroup)
  // A cgroup that is not there offers none: the kernel refuses a name that it does not know.
  mkdirSync(path('cgroup'))
  writeFileSync(path('cgroup/cgroup.controllers'), `nonsense ${controllers.join(' ')}\n`)
  symlinkSync(control, path('cgroup/cgroup.subtree_control'))
  expectFailure(hostProgram(op('enable_controllers', { path: path('cgroup') })), 'enable_controllers', 'EINVAL')
  expectDone(hostProgram(op('enable_controllers', { path: path('cgroup') }, '', 'EINVAL')))
  expect(readFileSync(control, 'utf8')).toBe(`${controllers.join(' ')}\n`)
})

/** A new cgroup, with what it may give to those below it. */
function controllersOf(directory: string): { readonly controllers: readonly string[]; readonly control: string } {
  mkdirSync(directory)
  const listed = readFileSync(join(directory, 'cgroup.controllers'), 'utf8').trim()
  return { controllers: listed === '' ? [] : listed.split(' '), control: join(directory, 'cgroup.subtree_control') }
}

test.each([
  ['THAWED\n', true],
  ['', true],
  ['F', true],
  ['FROZEN\n', false],
  ['FREEZING\n', true],
])('expect_not FROZEN, with %j', (content, passes) => {
  writeFileSync(path('state'), content)
  const program = hostProgram(op('expect_not', { path: path('state'), content: 'FROZEN', unlessMade: 0 }))
  if (passes) expectDone(program)
  else expectFailure(program, 'expect_not', 'EBUSY')
})

test('expect_not of a cgroup that was just made is not asked, if unlessMade is 1', () => {
  writeFileSync(path('state'), '1\n')
  const make = op('cgroup_make', { path: path('own'), levels: 0 })
  const expectNot = (unlessMade: number) => op('expect_not', { path: path('state'), content: '1', unlessMade })
  expectFailure(hostProgram(make, expectNot(0)), 'expect_not', 'EBUSY')
  rmdirSync(path('own'))
  expectDone(hostProgram(make, expectNot(1)))
  writeFileSync(path('own/cgroup.procs'), '')
  expectFailure(hostProgram(make, expectNot(1)), 'expect_not', 'EBUSY') // it was there
})

inCgroup('cgroup_remove removes a cgroup with those below it, and is content when there is none', () => {
  mkdirSync(join(cgroup, 'a/b'), { recursive: true })
  mkdirSync(join(cgroup, 'c'))
  const remove = op('cgroup_remove', { path: cgroup })
  expectDone(hostProgram(remove, remove))
  expect(existsSync(cgroup)).toBe(false)
})

inCgroup('cgroup_remove fails with EBUSY when a process stays in the cgroup', () => {
  mkdirSync(cgroup)
  processIn(cgroup)
  expectFailure(hostProgram(op('cgroup_remove', { path: cgroup })), 'cgroup_remove', 'EBUSY')
  expectDone(hostProgram(op('cgroup_kill', { path: cgroup }), op('cgroup_remove', { path: cgroup })))
})

inCgroup('cgroup_kill ends every process of the cgroup', async () => {
  mkdirSync(cgroup)
  const ends = Array.from({ length: 20 }, () => once(processIn(cgroup), 'exit'))
  expectDone(hostProgram(op('cgroup_kill', { path: cgroup }), op('cgroup_remove', { path: cgroup })))
  for (const [, signal] of await Promise.all(ends)) expect(signal).toBe('SIGKILL')
})

inCgroup('cgroup_kill removes a cgroup without a process, and leaves one that has others below it', () => {
  mkdirSync(join(cgroup, 'below'), { recursive: true })
  expectDone(hostProgram(op('cgroup_kill', { path: cgroup })))
  expect(existsSync(cgroup)).toBe(true)
  rmdirSync(join(cgroup, 'below'))
  expectDone(hostProgram(op('cgroup_kill', { path: cgroup })))
  expect(existsSync(cgroup)).toBe(false)
})

test('cgroup_kill is content when there is no cgroup, and fails on what it may not read', () => {
  expectDone(hostProgram(op('cgroup_kill', { path: path('missing') })))
  mkdirSync(path('own/cgroup.procs'), { recursive: true })
  expectFailure(hostProgram(op('cgroup_kill', { path: path('own') })), 'cgroup_kill', 'EISDIR')
})

/** `mov r0, 1; exit`: a filter that allows every device. */
const allowAll = Uint8Array.of(0xb7, 0, 0, 0, 1, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0)

inCgroup('device_filter attaches a program that the kernel accepts, and fails on one that it does not', () => {
  const opened = [
    op('mkdir', { at: null, path: cgroup, mode: 0o755 }),
    op('open', { to: 'cgroup', at: null, path: cgroup, flags: openFlags.DIRECTORY }),
  ]
  const remove = op('cgroup_remove', { path: cgroup })
  expectDone(hostProgram(...opened, op('device_filter', { cgroup: 'cgroup', instructions: allowAll }), remove))
  expectFailure(
    hostProgram(...opened, op('device_filter', { cgroup: 'cgroup', instructions: allowAll.slice(0, 8) })),
    'device_filter',
    'EINVAL',
  )
  expectDone(hostProgram(remove))
})

inCgroup('device_filter: the kernel accepts whatever filter rules are compiled to', () => {
  const filters = Array.from({ length: 60 }, (_, seed) => deviceFilter(randomRules(seed)))
  expectDone(
    hostProgram(
      op('mkdir', { at: null, path: cgroup, mode: 0o755 }),
      op('open', { to: 'cgroup', at: null, path: cgroup, flags: openFlags.DIRECTORY }),
      ...filters.map((instructions) => op('device_filter', { cgroup: 'cgroup', instructions })),
      op('cgroup_remove', { path: cgroup }),
    ),
  )
})
