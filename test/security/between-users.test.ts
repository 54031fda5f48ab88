// Attempts of other users of the host on a container, all of which fail.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, vi } from 'vitest'
import { type ConfigChange, ContainerPlace, userNamespace } from '../container.ts'
import { requires } from '../requirements.ts'

const { test } = requires('root', 'busybox')

const front = join(import.meta.dirname, '../../bin/bundle-tool')
/** Somebody else, without any right. */
const stranger = 54_387
const soon = { timeout: 10_000, interval: 5 }

let place: ContainerPlace
let strangers: ChildProcess[]
beforeEach(() => {
  place = new ContainerPlace()
  strangers = []
})
afterEach(async () => {
  for (const child of strangers) child.kill('SIGKILL')
  await place.close()
})

const done = { status: 0, stderr: '' }

function call(args: readonly string[]) {
  const env = { PATH: dirname(process.execPath) }
  const { status, stderr } = spawnSync(front, ['--root', place.root, ...args], {
    env,
    encoding: 'utf8',
    timeout: 20_000,
  })
  return { status, stderr }
}

function asStranger(script: string): ChildProcess {
  const child = spawn('/bin/sh', ['-c', script], { uid: stranger, gid: stranger, stdio: 'ignore' })
  strangers.push(child)
  return child
}

const directory = () => join(place.root, place.id)
const fifo = () => join(directory(), 'exec.fifo')
const proof = () => join(place.bundle, 'rootfs/dev-of-test/proof')

/** Writes where the user of the container may. */
function configure(change: ConfigChange = {}): void {
  mkdirSync(dirname(proof()), { mode: 0o777 })
  chmodSync(dirname(proof()), 0o777)
  place.configure('echo started > /dev-of-test/proof; exec sleep 1000', {
    config: { root: { path: 'rootfs' } },
    ...change,
  })
}

function create(change: ConfigChange = {}): number {
  configure(change)
  const pidFile = join(place.directory, 'pid')
  expect(place.tool(['create', '--pid-file', pidFile, '-b', place.bundle, place.id])).toMatchObject({
    end: 0,
    stderr: '',
  })
  return Number(readFileSync(pidFile, 'utf8'))
}

const facts = (path: string) => {
  const { mode, uid } = statSync(path)
  return [(mode & 0o7777).toString(8), uid]
}

const user = { process: { user: { uid: 1000, gid: 1000 } } }

describe.each([
  ['root', {}, 0],
  ['a user', user, 1000],
  ['root of a user namespace', userNamespace, 100_000],
  ['a user of a user namespace', { ...userNamespace, ...user }, 101_000],
] as readonly (readonly [string, ConfigChange, number])[])('a container that runs as %s', (_, change, uid) => {
  test('is reached by its caller and itself alone, and started', async () => {
    if (uid >= 100_000) place.giveRootfsTo(100_000)
    create(change)
    expect([place.root, directory(), fifo()].map(facts)).toEqual([
      ['700', 0],
      ['700', 0],
      ['600', uid],
    ])
    expect(call(['start', place.id])).toEqual(done)
    await vi.waitFor(() => expect(readFileSync(proof(), 'utf8')).toBe('started\n'), soon)
  })

  test('is not started by anybody else, in a root that all can pass through', async () => {
    if (uid >= 100_000) place.giveRootfsTo(100_000)
    mkdirSync(place.root)
    create(change)
    expect(facts(place.root)[0]).toBe('755')
    const child = asStranger(`echo x > ${fifo()}`)
    const [code] = await once(child, 'exit')
    expect(code).not.toBe(0)
    expect(call(['start', place.id])).toEqual(done)
    await vi.waitFor(() => expect(readFileSync(proof(), 'utf8')).toBe('started\n'), soon)
  })
})

test('a root that an earlier version has left open is closed by the next container that is made there', () => {
  mkdirSync(place.root)
  chmodSync(place.root, 0o711)
  create()
  expect(facts(place.root)).toEqual(['700', 0])
})

/** As the directories of earlier versions were, and the FIFO; the process has not come there yet, or has but cannot go on. */
function leaveOpen(pid: number): void {
  process.kill(pid, 'SIGSTOP')
  chmodSync(place.root, 0o711)
  chmodSync(directory(), 0o711)
  chmodSync(fifo(), 0o622)
}

/** Until the process is in open(2) or openat(2). */
async function waitsForReader({ pid }: ChildProcess): Promise<void> {
  await vi.waitFor(() => expect(readFileSync(`/proc/${pid}/syscall`, 'latin1')).toMatch(/^(2|56|257) /), soon)
}

test('start believes the byte of a stranger nowhere: it waits for the container’s own process', async () => {
  const pid = create()
  leaveOpen(pid)
  const writer = asStranger(`echo x > ${fifo()}`)
  await waitsForReader(writer)
  const start = spawn(front, ['--root', place.root, 'start', place.id], {
    env: { PATH: dirname(process.execPath) },
    stdio: 'ignore',
  })
  await once(writer, 'exit')
  await sleep(300)
  expect(start.exitCode).toBe(null)
  expect(existsSync(proof())).toBe(false)
  process.kill(pid, 'SIGCONT')
  const [code] = await once(start, 'exit')
  expect(code).toBe(0)
  await vi.waitFor(() => expect(readFileSync(proof(), 'utf8')).toBe('started\n'), soon)
  expect(existsSync(fifo())).toBe(false)
})

test('start says that the container has died, whoever else holds its FIFO open', async () => {
  const pid = create()
  leaveOpen(pid)
  await waitsForReader(asStranger(`exec 3> ${fifo()}; exec sleep 1000`))
  const start = spawn(front, ['--root', place.root, 'start', place.id], {
    env: { PATH: dirname(process.execPath) },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  await sleep(300)
  process.kill(pid, 'SIGKILL')
  const [code] = await once(start, 'exit')
  expect(code).not.toBe(0)
  expect(existsSync(proof())).toBe(false)
})

test('a container that joins a user namespace is started, whose ids nobody told', async () => {
  const { pid } = asOwner()
  place.giveRootfsTo(100_000)
  create({
    linux: { namespaces: [...others, { type: 'user', path: `/proc/${pid}/ns/user` }] },
  })
  expect(facts(fifo())).toEqual(['622', 0])
  expect(facts(directory())).toEqual(['700', 0])
  expect(call(['start', place.id])).toEqual(done)
  await vi.waitFor(() => expect(readFileSync(proof(), 'utf8')).toBe('started\n'), soon)
})

const others = (['pid', 'network', 'ipc', 'uts', 'mount'] as const).map((type) => ({ type }))

/** A process in a user namespace of its own. */
function asOwner(): ChildProcess {
  const script = 'echo 0 100000 65536 > /proc/$1/uid_map; echo 0 100000 65536 > /proc/$1/gid_map'
  const ready = join(place.directory, 'unshared')
  const child = spawn('unshare', ['-U', 'sh', '-c', `touch ${ready}; exec sleep 1000`], { stdio: 'ignore' })
  strangers.push(child)
  chmodSync(place.directory, 0o777)
  while (!existsSync(ready));
  expect(spawnSync('/bin/sh', ['-c', script, 'sh', String(child.pid)]).status).toBe(0)
  rmSync(ready)
  return child
}
