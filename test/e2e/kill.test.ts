// The remains of a kill -9 at random moments of four commands. KILLS=300 does it three hundred times.
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, vi } from 'vitest'
import { isSystemError } from '../../src/errors.ts'
import { readLayoutIndex } from '../../src/store/layout.ts'
import { ContainerPlace } from '../container.ts'
import { type FakeRegistry, sha256, startRegistry } from '../registry/fake-registry.ts'
import { requires } from '../requirements.ts'
import {
  layoutFiles,
  makeImage,
  makeLayer,
  type TarContent,
  type TestImage,
  writeFiles,
} from '../source/build-image.ts'

const { test } = requires('root', 'busybox', 'unshare')
const tool = join(import.meta.dirname, '../../bin/bundle-tool.js')
const rounds = Math.ceil(Number(process.env.KILLS ?? 32) / 4)
const timeout = 60_000 + rounds * 5_000
const soon = { timeout: 5_000, interval: 20 }

let place: ContainerPlace
beforeEach(() => {
  place = new ContainerPlace()
})
afterEach(async () => {
  for (const pid of marked()) process.kill(pid, 'SIGKILL')
  await place.close()
})

const at = (name: string) => join(place.directory, name)

/** Starts a program that, with all that descends from it, is known by a mark in its environment. */
function start(command: readonly [string, ...string[]]): ChildProcess {
  const [program, ...args] = command
  const env = {
    ...process.env,
    MARK: place.id,
    DOCKER_CONFIG: at('docker'),
    CONTAINERS_REGISTRIES_CONF: at('none.conf'),
  }
  return spawn(program, args, { stdio: 'ignore', env, cwd: place.directory })
}

function marked(): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && readOrNothing(`/proc/${name}/environ`).includes(`MARK=${place.id}\0`))
    .map(Number)
}

function readOrNothing(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch (error) {
    if (isSystemError(error)) return '' // the process has ended, or is a thread of the kernel
    throw error
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
}

/** How long a command takes that nobody kills. */
async function durationOf(command: readonly [string, ...string[]]): Promise<number> {
  const begin = performance.now()
  const child = start(command)
  await ended(child)
  expect(child.exitCode).toBe(0)
  return performance.now() - begin
}

/** The tool's child that runs programs, as soon as there is one; undefined when the tool ends without. */
async function runnerOf(child: ChildProcess): Promise<number | undefined> {
  for (;;) {
    const pid = Number.parseInt(readOrNothing(`/proc/${child.pid}/task/${child.pid}/children`), 10)
    if (pid > 0 || child.exitCode !== null || child.signalCode !== null) return pid > 0 ? pid : undefined
    await sleep(1)
  }
}

function killNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if (!isSystemError(error, 'ESRCH')) throw error // it has ended by itself
  }
}

type Victim = 'the tool' | 'the runner' | 'both'

/** Kills the tool at some moment of its life, or its runner soon after it has come to be, or both at once. */
async function killSome(child: ChildProcess, victim: Victim, durationMs: number): Promise<string> {
  const runner = victim === 'the tool' ? undefined : await runnerOf(child)
  const delayMs = Math.random() * (runner === undefined ? durationMs * 1.1 : 12)
  await sleep(delayMs)
  if (runner === undefined || victim === 'both') child.kill('SIGKILL')
  if (runner !== undefined) killNow(runner)
  await ended(child)
  return `${victim} killed after ${delayMs.toFixed(1)} ms`
}

const victims = ['the tool', 'the runner', 'both'] as const

const leftovers = () => [
  ...place.leftovers(),
  ...marked().map((pid) => `process ${pid}: ${readOrNothing(`/proc/${pid}/cmdline`)}`),
]

/** True when nothing is left, or everything is about to go. */
async function isAllGone(): Promise<boolean> {
  const deadline = Date.now() + 1_000
  while (leftovers().length > 0) {
    if (Date.now() > deadline) return false
    await sleep(20)
  }
  return true
}

test.each(['create', 'run'])(
  'a kill -9 of %s leaves nothing that delete -f does not remove',
  async (command) => {
    place.configure('exec sleep 1000')
    const words = (...args: string[]) => [process.execPath, tool, '--root', place.root, ...args] as const
    const deleteByForce = () => place.tool(['delete', '-f', place.id])
    const durationMs = await durationOf([...words('create', '-b', place.bundle, place.id)])
    expect(deleteByForce()).toMatchObject({ end: 0, stderr: '' })
    for (let round = 0; round < rounds; round++) {
      const victim = victims[round % victims.length] ?? 'both'
      const what = await killSome(start([...words(command, '-b', place.bundle, place.id)]), victim, durationMs)
      expect(deleteByForce(), what).toMatchObject({ end: 0, stderr: '' })
      // A runner that has outlived the tool goes on, and may have made the container after that.
      if (!(await isAllGone())) expect(deleteByForce(), what).toMatchObject({ end: 0, stderr: '' })
      await vi.waitFor(() => expect(leftovers(), what).toEqual([]), soon)
    }
    expect(await durationOf([...words('create', '-b', place.bundle, place.id)])).toBeGreaterThan(0)
  },
  timeout,
)

/** Many files, one large one, deletions. */
async function testImage(): Promise<TestImage> {
  const files = Array.from({ length: 400 }, (_, i): [string, TarContent] => [`files/${i % 20}/${i}`, `file ${i}\n`])
  return makeImage([
    await makeLayer({ ...Object.fromEntries(files), 'bin/su': { body: '#!', mode: 0o4755 } }),
    await makeLayer({ large: randomBytes(4_000_000), 'files/.wh.7': '' }),
    await makeLayer({ 'more/fifo': { type: 'fifo' }, 'more/link': { type: 'symlink', linkname: '/bin/su' } }, false),
  ])
}

/** Everything below a directory, in words that compare. */
function describeTree(root: string): readonly string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((path) => {
      const stats = lstatSync(join(root, path))
      const content = stats.isFile() ? sha256(readFileSync(join(root, path))) : ''
      const target = stats.isSymbolicLink() ? readlinkSync(join(root, path)) : ''
      const time = path.startsWith('rootfs') ? stats.mtimeMs : '' // config.json is written anew
      return [path, stats.mode.toString(8), time, content, target].join(' ')
    })
}

async function expectValidStore(store: string, what: string): Promise<void> {
  if (!existsSync(join(store, 'oci-layout'))) return // killed before the store had its name
  await readLayoutIndex(store)
  for (const name of readdirSync(join(store, 'blobs/sha256'))) {
    expect(sha256(readFileSync(join(store, 'blobs/sha256', name))), what).toBe(`sha256:${name}`)
  }
}

function serve(registry: FakeRegistry, image: TestImage): string {
  for (const blob of [image.config, ...image.layers.map((layer) => layer.blob)]) registry.addBlob(blob)
  registry.addManifest('some/image', '1', image.manifest.toString())
  return `${registry.host}/some/image:1`
}

test.each(['pull', 'unpack'])(
  'a kill -9 of %s leaves no half bundle, and the next one works',
  async (command) => {
    const image = await testImage()
    await using registry = await startRegistry()
    writeFiles(at('layout'), layoutFiles({ latest: image }))
    writeFileSync(at('none.conf'), '')
    mkdirSync(at('lib'))
    const source = command === 'pull' ? serve(registry, image) : `oci:${at('layout')}:latest`
    const [out, store] = [at('out/bundle'), at('lib/bundle-tool')]
    mkdirSync(at('out'))
    // Where root's store is, in a mount namespace of the tool's own.
    const inNamespace = ['unshare', '--mount', '--propagation', 'private', '/bin/sh', '-c'] as const
    const script = 'mount --bind "$0" /var/lib && exec "$@"'
    const words = [...inNamespace, script, at('lib'), process.execPath, tool, command, source, '--out', out] as const

    const durationMs = await durationOf([...words])
    const whole = describeTree(out)
    expect(whole).toContainEqual(expect.stringContaining('rootfs/large '))
    for (let round = 0; round < rounds; round++) {
      if (round % 2 === 0) rmSync(out, { recursive: true, force: true })
      if (round % 3 === 0) rmSync(store, { recursive: true, force: true })
      const what = await killSome(start([...words, '--force']), 'the tool', durationMs)
      await vi.waitFor(() => expect(marked(), what).toEqual([]), soon)
      await expectValidStore(store, what)
      if (existsSync(out)) expect(describeTree(out), what).toEqual(whole)
    }
    await durationOf([...words, '--force'])
    expect(describeTree(out)).toEqual(whole)
    await expectValidStore(store, 'the last pull')
    expect(readdirSync(at('out'))).toEqual(['bundle'])
  },
  timeout,
)
