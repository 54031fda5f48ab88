import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, vi } from 'vitest'
import { isAlive } from '../../src/runtime/proc.ts'
import { readContainer } from '../../src/runtime/state-file.ts'
import { cgroupsNamed } from '../cgroup-directories.ts'
import { library } from '../library.ts'
import { requires } from '../requirements.ts'
import { openWorkshop, running, type Workshop, withoutPidNamespace } from './runc-container.ts'

const { kill, list, remove, start, state } = library

const { describe, test } = requires('root', 'runc', 'busybox')

process.env.BUNDLE_TOOL_RUNNER ??= join(import.meta.dirname, '../../dist/bundle-tool-runner')

const id = 'lifecycle-test'
let workshop: Workshop

beforeEach(() => {
  workshop = openWorkshop()
})
afterEach(() => workshop.close())

const options = () => ({ root: workshop.root, id })
const soon = { timeout: 5000, interval: 5 }

function create(change?: Parameters<Workshop['configure']>[0]) {
  workshop.configure(change)
  workshop.runc('create', '-b', workshop.bundle, id)
}

const untilStopped = () => vi.waitFor(async () => expect((await state(options())).status).toBe('stopped'), soon)

async function stop() {
  await kill({ ...options(), signal: 'KILL' })
  await untilStopped()
}

describe('a container that runc has made', () => {
  test('is shown as runc shows it, in every status', async () => {
    create((config) => ({ ...config, annotations: { 'com.example.key': 'a=b' } }))
    const compare = async (status: string) => {
      const ours = await state(options())
      expect(ours.status).toBe(status)
      expect(ours).toEqual(JSON.parse(workshop.runc('state', id)))
      expect(await list({ root: workshop.root })).toEqual(JSON.parse(workshop.runc('list', '-f', 'json')))
    }
    await compare('created')
    await start(options())
    await compare('running')
    workshop.runc('pause', id)
    await compare('paused')
    workshop.runc('resume', id)
    await stop()
    await compare('stopped')
  })

  test('runs its program once it is started, and only once', async () => {
    create()
    const { pid } = await state(options())
    await start(options())
    await vi.waitFor(() => expect(readFileSync(`/proc/${pid}/cmdline`, 'latin1')).toContain('sleep'), soon)
    expect(existsSync(join(workshop.root, id, 'exec.fifo'))).toBe(false)
    await expect(start(options())).rejects.toThrow('cannot start an already running container')
    await stop()
    await expect(start(options())).rejects.toThrow('cannot start a container that has stopped')
  })

  test('is started by one of two who try at once', async () => {
    create()
    const results = await Promise.allSettled([start(options()), start(options())])
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    expect((await state(options())).status).toBe('running')
  })

  test('cannot be started while it is paused', async () => {
    create()
    workshop.runc('pause', id)
    await expect(start(options())).rejects.toThrow('cannot start a container in the paused state')
  })

  test('is sent the signal that is named', async () => {
    create((config) => running('trap "exit 7" USR1; while :; do /bin/busybox sleep 0.01; done', config))
    const { pid } = await state(options())
    await start(options())
    // runc's own init, which was there before the shell, catches every signal.
    await vi.waitFor(() => expect(readFileSync(`/proc/${pid}/cmdline`, 'latin1')).toContain('trap'), soon)
    const usr1 = 1n << 9n
    const caught = () =>
      BigInt(`0x${/^SigCgt:\s*([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]}`)
    await vi.waitFor(() => expect(caught() & usr1).toBe(usr1), soon)
    await kill({ ...options(), signal: '0' })
    expect((await state(options())).status).toBe('running')
    await kill({ ...options(), signal: 'usr1' })
    await untilStopped()
  })

  test('is not signalled any more when it has stopped', async () => {
    create()
    await stop()
    await expect(kill(options())).rejects.toThrow('container not running')
    await expect(kill({ ...options(), signal: '0' })).rejects.toThrow('container not running')
    await kill({ ...options(), signal: '0', all: true })
  })

  test('is killed though it is paused', async () => {
    create()
    await start(options())
    workshop.runc('pause', id)
    await stop()
  })

  test('without a PID namespace is killed with all of its processes', async () => {
    const sleep = '/bin/busybox sleep 1000'
    create((config) => withoutPidNamespace(running(`${sleep} & ${sleep} & exec ${sleep}`, config)))
    await start(options())
    const processes = () => JSON.parse(workshop.runc('ps', '-f', 'json', id)) ?? []
    await vi.waitFor(() => expect(processes()).toHaveLength(3), soon)
    await stop()
    await vi.waitFor(() => expect(processes()).toHaveLength(0), soon)
  })

  test('is deleted when created or stopped, with its cgroups, and no sooner', async () => {
    create()
    expect(cgroupsNamed(id)).not.toEqual([])
    await remove(options())
    expect(cgroupsNamed(id)).toEqual([])
    expect(existsSync(join(workshop.root, id))).toBe(false)

    create()
    await start(options())
    await expect(remove(options())).rejects.toThrow(`cannot delete container ${id} that is not stopped: running`)
    await stop()
    await remove(options())
    expect(cgroupsNamed(id)).toEqual([])
  })

  test('is deleted by force while it runs, sub-cgroups and all', async () => {
    create()
    await start(options())
    const { pid } = await state(options())
    for (const directory of cgroupsNamed(id)) mkdirSync(join(directory, 'sub/sub'), { recursive: true })
    const place = cgroupsNamed(id).find((path) => /\/(freezer|unified)\//.test(path)) ?? cgroupsNamed(id)[0]
    writeFileSync(`${place}/sub/sub/cgroup.procs`, String(pid))
    await remove({ ...options(), force: true })
    expect(cgroupsNamed(id)).toEqual([])
    await vi.waitFor(() => expect(existsSync(`/proc/${pid}`)).toBe(false), soon)
    await expect(state(options())).rejects.toThrow('container does not exist')
  })

  test('is deleted by force while it is paused', async () => {
    create()
    await start(options())
    workshop.runc('pause', id)
    await remove({ ...options(), force: true })
    expect(cgroupsNamed(id)).toEqual([])
  })

  test('whose first process has died is deleted with those that it has left behind', async () => {
    create((config) => withoutPidNamespace(running('/bin/busybox sleep 1000 & echo', config)))
    await start(options())
    await untilStopped()
    await remove(options())
    expect(cgroupsNamed(id)).toEqual([])
  })

  test('has its poststop hooks run when it is deleted, the next one though one fails', async () => {
    const file = join(workshop.bundle, 'hook')
    const hook = (script: string) => ({ path: '/bin/sh', args: ['hook', '-c', script, 'zero'], env: ['MARK=x'] })
    create((config) => ({
      ...config,
      hooks: { poststop: [hook('echo oops >&2; exit 3'), hook(`{ cat; echo "$MARK $0"; } > ${file}`)] },
    }))
    const warnings: string[] = []
    await remove({ ...options(), warn: (message) => warnings.push(message) })
    expect(warnings).toEqual(['error running poststop hook #0: exit status 3, stdout: , stderr: oops'])
    const [, json, rest] = /^(\{.*\})(.*)\n$/.exec(readFileSync(file, 'utf8')) ?? []
    expect(JSON.parse(json ?? '')).toMatchObject({ id, status: 'stopped', pid: 0, bundle: workshop.bundle })
    expect(rest).toBe('x zero')
  })
})

describe('with no such container', () => {
  test('every command says so, but a forced delete has nothing to do', async () => {
    for (const verb of [start, state, kill, remove]) {
      await expect(verb(options())).rejects.toThrow('container does not exist')
    }
    await remove({ ...options(), force: true })
  })

  test('a forced delete removes what a create that was killed has left', async () => {
    const directory = join(workshop.root, id)
    for (const files of [['exec.fifo'], ['state.json', 'exec.fifo']]) {
      mkdirSync(directory, { recursive: true })
      for (const file of files) writeFileSync(join(directory, file), '')
      await expect(remove(options())).rejects.toThrow('container does not exist')
      expect(existsSync(directory)).toBe(true)
      await remove({ ...options(), force: true })
      expect(existsSync(directory)).toBe(false)
    }
  })

  test('an ID cannot lead out of the root', async () => {
    for (const verb of [start, state, kill, remove]) {
      for (const evil of ['..', '.', '../x', '/etc', '']) {
        await expect(verb({ root: workshop.root, id: evil })).rejects.toMatchObject({
          code: 'ERR_CONTAINER_ID_INVALID',
        })
      }
    }
  })

  test('a root that is not there is an error', async () => {
    await expect(list({ root: '/nonexistent' })).rejects.toMatchObject({ code: 'ERR_USAGE' })
    await expect(list({ root: '/' })).rejects.toMatchObject({ code: 'ERR_USAGE' })
  })
})

test('a process that has got the pid of a container is not taken for it', async () => {
  create()
  const file = join(workshop.root, id, 'state.json')
  const { init } = readContainer(workshop.root, id)
  await stop()
  const text = readFileSync(file, 'utf8')
  writeFileSync(file, text.replace(`"init_process_pid":${init.pid},`, `"init_process_pid":${process.pid},`))
  expect(readContainer(workshop.root, id).init.pid).toBe(process.pid)
  expect(isAlive({ ...init, pid: process.pid })).toBe(false)
  expect((await state(options())).status).toBe('stopped')
  await expect(kill({ ...options(), signal: 'KILL' })).rejects.toThrow('container not running')
  await remove({ ...options(), force: true })
})

test('a damaged state.json is named, and does not hide the other containers', async () => {
  create()
  const damaged = join(workshop.root, 'a-damaged-one')
  const unreadable: Record<string, string> = {}
  mkdirSync(damaged)
  mkdirSync(join(workshop.root, 'b-left-over'))
  mkdirSync(join(workshop.root, 'not an id'))
  mkdirSync(join(workshop.root, '.hidden'))
  mkdirSync(join(workshop.root, '.damaged'))
  writeFileSync(join(workshop.root, '.damaged/state.json'), '{')
  writeFileSync(join(damaged, 'state.json'), '{"id":"a-damaged-one","init_process_pid":"1"}')
  const states = await list({
    root: workshop.root,
    onUnreadable: (name, error) => {
      unreadable[name] = error.message
    },
  })
  expect(states.map((container) => container.id)).toEqual([id])
  expect(unreadable).toEqual({
    '.damaged': `"${workshop.root}/.damaged/state.json" is not JSON`,
    'a-damaged-one': `${damaged}/state.json: init_process_pid is not a number`,
    'b-left-over': 'container does not exist: "b-left-over"',
  })
})
