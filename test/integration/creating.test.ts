import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, vi } from 'vitest'
import type { Hooks } from '../../src/oci/runtime-config.ts'
import { readProcessStat } from '../../src/runtime/proc.ts'
import { type ConfigChange, ContainerPlace } from '../container.ts'
import { requires } from '../requirements.ts'

const { test } = requires('root', 'busybox')

const front = join(import.meta.dirname, '../../bin/bundle-tool')
const soon = { timeout: 10_000, interval: 5 }

let place: ContainerPlace
let others: ChildProcess[]
beforeEach(() => {
  place = new ContainerPlace()
  others = []
})
afterEach(async () => {
  for (const id of place.states()) place.tool(['delete', '-f', id]) // whoever creates one ends its hook
  for (const child of others) child.kill('SIGKILL')
  await place.close()
})

const at = (name: string) => join(place.directory, name)

/** A hook that says that it runs, and then takes longer than a test does. */
function sleepingHook(kind: keyof Hooks): ConfigChange {
  const args = ['sh', '-c', `echo $$ > ${at('hook')}; exec sleep 1000`]
  return { config: { hooks: { [kind]: [{ path: '/bin/sh', args }] } } }
}

/** Calls the tool as an engine does, and goes on. */
function begin(...args: readonly string[]): ChildProcess {
  const child = spawn(
    '/bin/sh',
    ['-c', 'exec "$@" >/dev/null 2>"$0"', at('stderr'), front, '--root', place.root, ...args],
    {
      env: { PATH: dirname(process.execPath) },
      stdio: 'ignore',
    },
  )
  others.push(child)
  return child
}

/** The pid of the hook that is running now. */
async function hookRuns(): Promise<number> {
  await vi.waitFor(() => expect(existsSync(at('hook')) && readFileSync(at('hook'), 'utf8')).toMatch(/\d\n/), soon)
  return Number(readFileSync(at('hook'), 'utf8'))
}

function call(...args: readonly string[]) {
  const env = { PATH: `${dirname(process.execPath)}:/usr/bin:/bin` }
  const { status, stdout, stderr } = spawnSync(front, ['--root', place.root, ...args], {
    env,
    encoding: 'utf8',
    timeout: 30_000,
  })
  return { status, stdout, stderr }
}

const done = { status: 0, stdout: '', stderr: '' }
function expectRefusal(words: string, ...args: readonly string[]): void {
  const { status, stdout, stderr } = call(...args)
  expect(stderr).toContain(words)
  expect({ args, stdout }).toEqual({ args, stdout: '' })
  expect(status).toBeGreaterThan(0)
}

const ended = async (child: ChildProcess) =>
  (child.exitCode ?? child.signalCode) === null && (await once(child, 'exit'))
const statusOf = () => JSON.parse(call('state', place.id).stdout)

const ways = [
  ['create', ['create']],
  ['run', ['run']],
  ['run --detach', ['run', '--detach']],
] as const
const kinds = ['createRuntime', 'createContainer'] as const

describe.each(ways)('while %s is not done', (_, words) => {
  describe.each(kinds)('and its %s hook runs', (kind) => {
    let creator: ChildProcess
    beforeEach(async () => {
      place.configure('exec sleep 1000', sleepingHook(kind))
      creator = begin(...words, '-b', place.bundle, place.id)
      await hookRuns()
    })

    test('the container is creating, for state and for list', () => {
      const shown = { id: place.id, status: 'creating', pid: 0, bundle: place.bundle }
      expect(statusOf()).toMatchObject(shown)
      expect(JSON.parse(call('list', '-f', 'json').stdout)).toMatchObject([shown])
      expect(call('list').stdout).toMatch(/ creating +\//)
    })

    test('what takes a container that is there says no, and that it is creating', () => {
      const started = Date.now()
      expectRefusal('that is not stopped: creating', 'delete', place.id)
      expect(Date.now() - started).toBeLessThan(5000)
      expectRefusal('cannot start a container in the creating state', 'start', place.id)
      expectRefusal('cannot exec in a container that is being created', 'exec', place.id, 'true')
      expectRefusal('is creating', 'kill', place.id, 'KILL')
      expectRefusal('is creating', 'kill', '--all', place.id)
      expectRefusal('is creating', 'stop', place.id)
      expectRefusal('is creating', 'wait', place.id)
      expectRefusal('is creating', 'pause', place.id)
      expectRefusal('is creating', 'resume', place.id)
      expectRefusal('container not running', 'update', '--pids-limit', '5', place.id)
      expectRefusal('is not running', 'events', '--stats', place.id)
      expectRefusal('in creating state', 'checkpoint', place.id)
      expectRefusal('already exists', 'create', '-b', place.bundle, place.id)
      expect(statusOf()).toMatchObject({ status: 'creating' })
    })

    test('delete --force ends it: nothing is left, and the command says so', async () => {
      const hook = Number(readFileSync(at('hook'), 'utf8')) // as the hook's own PID namespace has it
      const started = Date.now()
      expect(call('delete', '--force', place.id)).toEqual(done)
      expect(Date.now() - started).toBeLessThan(5000)
      expect(place.leftovers()).toEqual([])
      await ended(creator)
      expect(creator.exitCode).not.toBe(0)
      expect(readFileSync(at('stderr'), 'utf8')).toContain('ended by a signal before it was complete')
      if (kind === 'createRuntime') await vi.waitFor(() => expect(readProcessStat(hook)).toBe(undefined), soon)
    })

    test('delete --force ends it also when it is stopped', async () => {
      creator.kill('SIGSTOP')
      expect(call('delete', '--force', place.id)).toEqual(done)
      expect(place.leftovers()).toEqual([])
      await ended(creator)
      expect(creator.exitCode).not.toBe(0)
    })

    test('a creator that is killed leaves a container that has stopped, and can be deleted', async () => {
      const hook = Number(readFileSync(at('hook'), 'utf8'))
      creator.kill('SIGKILL')
      await ended(creator)
      if (kind === 'createRuntime') process.kill(hook, 'SIGKILL')
      expect(statusOf()).toMatchObject({ status: 'stopped', pid: 0 })
      expect(JSON.parse(call('list', '-f', 'json').stdout)).toMatchObject([{ status: 'stopped' }])
      expectRefusal('was never created', 'wait', place.id)
      expect(call('stop', place.id)).toEqual(done)
      expect(call('delete', place.id)).toEqual(done)
      expect(place.leftovers()).toEqual([])
    })
  })
})

test('delete --force at any moment of a creation leaves nothing', { timeout: 60_000 }, async () => {
  place.configure('exec sleep 1000', { config: { hooks: { createRuntime: [{ path: '/bin/true' }] } } })
  for (let round = 0; round < 40; round++) {
    const creator = begin(...(round % 2 === 0 ? ['create'] : ['run', '--detach']), '-b', place.bundle, place.id)
    await vi.waitFor(() => expect(existsSync(join(place.root, place.id))).toBe(true), { timeout: 10_000, interval: 0 })
    for (const until = performance.now() + round / 10; performance.now() < until; );
    expect(call('delete', '--force', place.id)).toEqual(done)
    await ended(creator)
    expect(place.leftovers(), `round ${round}: ${readFileSync(at('stderr'), 'utf8')}`).toEqual([])
  }
})

/** Makes the container again as it was when its creation began, and says who is its creator. */
function pretend(creator: { readonly pid: number; readonly ticks: number }): void {
  place.configure('exec sleep 1000')
  expect(place.tool(['create', '-b', place.bundle, place.id]).end).toBe(0)
  const [directory, file] = [join(place.root, place.id), join(place.root, place.id, 'state.json')]
  const state = JSON.parse(readFileSync(file, 'utf8'))
  expect(call('kill', place.id, 'KILL')).toEqual(done)
  expect(call('delete', '--force', place.id)).toEqual(done)
  mkdirSync(directory)
  writeFileSync(file, JSON.stringify({ ...state, init_process_pid: 0, init_process_start: 0, creator }))
}

test('a creator that hears no signal is killed in the end', { timeout: 60_000 }, async () => {
  const deaf = spawn('/bin/sh', ['-c', `trap '' TERM; touch ${at('deaf')}; while :; do sleep 0.1; done`], {
    stdio: 'ignore',
  })
  others.push(deaf)
  await vi.waitFor(() => expect(existsSync(at('deaf'))).toBe(true), soon)
  const { pid = 0 } = deaf
  pretend({ pid, ticks: readProcessStat(pid)?.startTime ?? 0 })
  expect(statusOf()).toMatchObject({ status: 'creating' })
  expect(call('delete', '--force', place.id)).toEqual(done)
  await ended(deaf)
  expect(deaf.signalCode).toBe('SIGKILL')
  expect(place.leftovers()).toEqual([])
})

test('a process that has the pid of a creator of long ago is not taken for it', () => {
  const startTime = readProcessStat(process.pid)?.startTime ?? 0
  pretend({ pid: process.pid, ticks: startTime - 1 })
  expect(statusOf()).toMatchObject({ status: 'stopped' })
  expect(call('delete', place.id)).toEqual(done)
  expect(place.leftovers()).toEqual([])
})

describe('of a create that was killed as it began', () => {
  const file = () => join(place.root, place.id, 'state.json')
  test.each([
    ['the directory alone', (): void => undefined],
    ['an empty state.json', () => writeFileSync(file(), '')],
    [
      'a state.json that is cut short',
      () => {
        place.configure('true')
        writeFileSync(file(), readFileSync(join(place.bundle, 'config.json')))
        truncateSync(file(), 100)
      },
    ],
  ] as const)('%s is deleted', (_, leave) => {
    for (const flags of [[], ['--force']]) {
      mkdirSync(join(place.root, place.id), { recursive: true })
      leave()
      expect(call('delete', ...flags, place.id)).toEqual(done)
      expect(place.states()).toEqual([])
    }
  })

  test('nothing else is, unless by force: a directory of somebody’s may have the name', () => {
    mkdirSync(join(place.root, place.id, 'of/somebody'), { recursive: true })
    expectRefusal('does not exist', 'delete', place.id)
    expect(existsSync(join(place.root, place.id, 'of/somebody'))).toBe(true)
    expect(call('delete', '--force', place.id)).toEqual(done)
    expect(place.states()).toEqual([])
  })
})

describe('what is no directory in the root', () => {
  const path = () => join(place.root, place.id)
  test.each([
    ['a file', () => writeFileSync(path(), 'precious')],
    ['a FIFO', () => spawnSync('mkfifo', [path()])],
    [
      'a link to a directory',
      () => {
        mkdirSync(at('elsewhere'))
        writeFileSync(at('elsewhere/file'), 'precious')
        symlinkSync(at('elsewhere'), path())
      },
    ],
    ['a link to nothing', () => symlinkSync('/no/such', path())],
    [
      'a link to a container',
      () => {
        place.configure('exec sleep 1000')
        expect(place.tool(['create', '-b', place.bundle, `${place.id}-other`]).end).toBe(0)
        symlinkSync(`${place.id}-other`, path())
      },
    ],
  ] as const)('%s is no container, and stays', (name, make) => {
    mkdirSync(place.root)
    make()
    const before = place.states()
    const listed = name === 'a link to a container' ? 1 : 0
    expectRefusal('does not exist', 'state', place.id)
    const list = call('list', '-q')
    expect(list).toMatchObject({ status: 0, stderr: '' })
    expect(list.stdout.split('\n').filter(Boolean)).toHaveLength(listed)
    for (const command of ['start', 'kill', 'pause', 'resume', 'ps', 'delete']) {
      expectRefusal('does not exist', command, place.id)
    }
    expectRefusal('is no directory', 'delete', '--force', place.id)
    expect(place.states()).toEqual(before)
    if (existsSync(at('elsewhere'))) expect(readFileSync(at('elsewhere/file'), 'utf8')).toBe('precious')
    spawnSync('rm', [path()])
  })
})
