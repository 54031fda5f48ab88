import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import pLimit from 'p-limit'
import { afterEach, beforeEach, expect } from 'vitest'
import { ContainerPlace } from '../container.ts'
import { requires } from '../requirements.ts'

/** As programs import it: what is beside the binary that executes kept programs. */
const { create, remove, run, state, OciError } = (await import(
  join(import.meta.dirname, '../../dist/bin/index.mjs')
)) as typeof import('../../src/index.ts')

const { test } = requires('root', 'busybox')

let place: ContainerPlace
beforeEach(() => {
  place = new ContainerPlace()
})
afterEach(() => place.close())

const base = () => ({ id: place.id, bundle: place.bundle, root: place.root })

/** Runs the bundle with streams for what it reads and writes. */
async function runWithStreams(input = '') {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()]
  const output = Promise.all([text(stdout), text(stderr)])
  const status = await run({ ...base(), stdio: { stdin: Readable.from([input]), stdout, stderr } })
  stdout.end()
  stderr.end()
  return { status, output: await output }
}

const kept = () => readdirSync(place.root).filter((name) => name.startsWith('.program-'))

test('a container reads from a stream, writes to streams, and its exit code is the result; compiled and kept', async () => {
  place.configure('cat; echo err >&2; exit 5')
  for (let round = 0; round < 3; round++) {
    const input = `${'x'.repeat(300_000)}\n`
    expect(await runWithStreams(input)).toEqual({ status: 5, output: [input, 'err\n'] })
    expect(kept()).toHaveLength(1)
  }
  expect(place.leftovers()).toEqual([])
})

test('a container that does not read its input', async () => {
  place.configure('exit 0')
  for (let round = 0; round < 2; round++) {
    expect((await runWithStreams('x'.repeat(300_000))).status).toBe(0)
  }
})

test('an exit code like that of a front which has nothing to execute is the container’s', async () => {
  place.configure('echo once >> /count; exit 75', { config: { root: { path: 'rootfs' } } })
  for (let round = 0; round < 2; round++) expect(await run({ ...base(), stdio: { stdin: 'ignore' } })).toBe(75)
  expect(readFileSync(join(place.bundle, 'rootfs/count'), 'utf8')).toBe('once\nonce\n')
})

test('what fails is the same error when the program was kept', async () => {
  place.configure('sleep 100')
  await create(base())
  await remove({ id: place.id, root: place.root, force: true })
  await create(base())
  expect((await state({ id: place.id, root: place.root })).status).toBe('created')
  await expect(create(base())).rejects.toMatchObject({ code: 'ERR_CONTAINER_EXISTS' })
  await expect(create({ ...base(), noCache: true })).rejects.toBeInstanceOf(OciError)
  await remove({ id: place.id, root: place.root, force: true })
  expect(place.leftovers()).toEqual([])
})

test('a change of config.json is seen', async () => {
  place.configure('exit 3')
  expect(await run(base())).toBe(3)
  place.configure('exit 4')
  expect(await run(base())).toBe(4)
  expect(await run(base())).toBe(4)
})

test('signals of the program are its own, however many containers there are', async () => {
  place.configure('exit 0')
  const warnings: Error[] = []
  // In a thread, as vitest's may be, Node.js warns of descriptors too, which this is not about.
  const hear = (warning: Error) => {
    if (warning.name === 'MaxListenersExceededWarning') warnings.push(warning)
  }
  process.on('warning', hear)
  const before = process.listenerCount('SIGTERM')
  const limit = pLimit(20)
  const runs = Array.from({ length: 60 }, (_, index) =>
    limit(() => run({ ...base(), id: `${place.id}-${index}`, stdio: { stdin: 'ignore' } })),
  )
  expect(process.listenerCount('SIGTERM')).toBe(before)
  expect(new Set(await Promise.all(runs))).toEqual(new Set([0]))
  process.off('warning', hear)
  expect(warnings).toEqual([])
  expect(place.leftovers()).toEqual([])
})

test('what the library gives to the front is not in the environment of hooks', () => {
  place.configure('exit 0', {
    config: { hooks: { createRuntime: [{ path: '/bin/sh', args: ['sh', '-c', `env > ${place.directory}/env`] }] } },
  })
  const script = `
    import { run } from ${JSON.stringify(join(import.meta.dirname, '../../dist/bin/index.mjs'))}
    for (let i = 0; i < 2; i++) await run(${JSON.stringify(base())})`
  const { status } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { stdio: 'ignore' })
  expect(status).toBe(0)
  expect(readFileSync(join(place.directory, 'env'), 'utf8')).not.toContain('BUNDLE_TOOL')
})

test('two hundred at once, again and again: all end, and the program grows no further', { timeout: 600_000 }, () => {
  place.configure('echo "$0"; exit 7')
  const script = `
    import { readdirSync, readFileSync } from 'node:fs'
    import { PassThrough } from 'node:stream'
    import { text } from 'node:stream/consumers'
    import { run } from ${JSON.stringify(join(import.meta.dirname, '../../dist/bin/index.mjs'))}
    const one = async (id) => {
      const stdout = new PassThrough()
      const [status, output] = await Promise.all([
        run({ ...${JSON.stringify(base())}, id, stdio: { stdin: 'ignore', stdout } }).finally(() => stdout.end()),
        text(stdout),
      ])
      return status === 7 && output === 'sh\\n'
    }
    for (let wave = 0; wave < 4; wave++) {
      const all = await Promise.all(Array.from({ length: 200 }, (_, i) => one('wave' + wave + '-' + i)))
      const peak = /VmHWM:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'latin1'))[1] / 1024
      console.log(JSON.stringify({ right: all.filter(Boolean).length, peak, fds: readdirSync('/proc/self/fd').length }))
    }`
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
  expect(stderr).toBe('')
  const waves: { right: number; peak: number; fds: number }[] = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(waves.map(({ right }) => right)).toEqual([200, 200, 200, 200])
  const [, second, , last] = waves
  expect(last?.fds).toBe(second?.fds)
  // Megabytes; the first wave compiles, and each container in flight takes what its pipe and promises do.
  expect((last?.peak ?? 0) - (second?.peak ?? 0)).toBeLessThan(16)
  expect(place.leftovers()).toEqual([])
})
