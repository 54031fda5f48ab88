import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect } from 'vitest'
import { type Call, callOptions, optionsOfCall } from '../../src/program/options.ts'
import { ContainerPlace } from '../container.ts'
import { requires } from '../requirements.ts'

/** An option with an empty value is no option, for a first call, a later one, and the command line alone. */
const { test } = requires('root', 'busybox')

const front = join(import.meta.dirname, '../../bin/bundle-tool')
const script = join(import.meta.dirname, '../../bin/bundle-tool.js')

let place: ContainerPlace
beforeEach(() => {
  place = new ContainerPlace()
})
afterEach(() => place.close())

function call(command: readonly string[], path: string) {
  const out = join(place.directory, 'out')
  const { status } = spawnSync('/bin/sh', ['-c', 'exec "$@" >"$OUT" 2>&1 </dev/null', 'sh', ...command], {
    env: { PATH: path, OUT: out },
    cwd: place.bundle,
    timeout: 20_000,
  })
  return { status, output: readFileSync(out, 'utf8').replace(/time="[^"]*" /g, '') }
}

const withNode = `${dirname(process.execPath)}:/usr/bin:/bin`

/** By the front that compiles, by the front with the program that this has kept, and by the command line. */
const ways = (args: readonly string[]) => [
  call([front, ...args], withNode),
  call([front, ...args], '/nonexistent'),
  call([process.execPath, script, ...args], withNode),
]

const named = (command: Call) =>
  optionsOfCall(command).flatMap(({ name, letter, value }) =>
    value === undefined
      ? []
      : [[`--${name}`, ''], [`--${name}=`], ...(letter === undefined ? [] : [[`-${letter}`, '']])],
  )

describe('run', () => {
  test.each(named('run').map((words) => [words]))('%j', (words) => {
    place.configure('exit 3')
    const args = ['--root', place.root, '--log=', '--log-format', '', 'run', ...words, place.id]
    for (const answer of ways(args)) expect(answer).toEqual({ status: 3, output: '' })
  })
})

describe('exec', () => {
  beforeEach(() => {
    place.configure('sleep 1000')
    expect(place.tool(['run', '-d', '-b', place.bundle, place.id]).end).toBe(0)
  })

  test.each(named('exec').map((words) => [words]))('%j', (words) => {
    const command = ['sh', '-c', 'pwd; id -u; exit 4']
    const args = ['--root', place.root, 'exec', ...words, place.id, ...command]
    for (const answer of ways(args)) expect(answer).toEqual({ status: 4, output: '/\n0\n' })
  })

  test('one with an empty --pidfd-socket spoils no later one', () => {
    const exec = (...words: readonly string[]) => ['--root', place.root, 'exec', ...words, place.id, 'true']
    for (const args of [exec('--pidfd-socket', ''), exec()]) {
      for (const answer of ways(args)) expect(answer).toEqual({ status: 0, output: '' })
    }
  })
})

test('create, kill, update and the rest take an empty value for none', () => {
  place.configure('sleep 1000')
  const create = ['create', '--pid-file=', '--console-socket', '', '-b', '', place.id]
  expect(call([front, '--root', place.root, ...create], withNode)).toEqual({ status: 0, output: '' })
  for (const args of [
    ['update', '--memory=', '--cpuset-cpus', '', place.id],
    ['kill', place.id, ''],
  ]) {
    expect(call([front, '--root', place.root, ...args], withNode), args[0]).toEqual({ status: 0, output: '' })
  }
  expect(readdirSync(place.bundle).sort()).toEqual(['config.json', 'rootfs'])
})

test('every option of the contract that has a value is in these tests', () => {
  const values = callOptions.filter(({ value }) => value !== undefined).map(({ name }) => `--${name}`)
  const tested = new Set([...named('run'), ...named('exec')].map(([word]) => word))
  expect(values.filter((name) => !tested.has(name))).toEqual([])
})
