import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, vi } from 'vitest'
import { defaultConfig } from '../../src/bundle/default-config.ts'
import { ContainerPlace, userNamespace } from '../container.ts'
import { requires } from '../requirements.ts'

const library = join(import.meta.dirname, '../../dist/bin/index.mjs')
const { create, exec, features, kill, list, remove, run, start, state, stop, wait } = (await import(
  library
)) as typeof import('../../src/index.ts')

const { test } = requires('root', 'busybox')

let place: ContainerPlace
beforeEach(() => {
  place = new ContainerPlace()
})
afterEach(() => place.close())

const named = () => ({ id: place.id, root: place.root })
const base = () => ({ ...named(), bundle: place.bundle })
const reason = new Error('no longer wanted')

/** Starts a container in the background, which says so by making /ready. */
async function startContainer(script: string, ...change: Parameters<ContainerPlace['configure']>[1][]): Promise<void> {
  place.configure(script, ...change)
  await run({ ...base(), detach: true, stdio: { stdin: 'ignore', stdout: 'ignore', stderr: 'ignore' } })
}

const writable = { config: { root: { path: 'rootfs' } } }
const isReady = () => vi.waitFor(() => expect(existsSync(join(place.bundle, 'rootfs/ready'))).toBe(true), 10_000)

test('exec reads from a stream, writes to streams, and its exit code is the result', async () => {
  await startContainer('sleep 100')
  const [stdout, stderr] = [new PassThrough(), new PassThrough()]
  const output = Promise.all([text(stdout), text(stderr)])
  const input = `${'x'.repeat(200_000)}\n`
  const status = await exec({
    ...named(),
    args: ['sh', '-c', 'cat; echo err >&2; exit 5'],
    stdio: { stdin: Readable.from([input]), stdout, stderr },
  })
  stdout.end()
  stderr.end()
  expect(status).toBe(5)
  expect(await output).toEqual([input, 'err\n'])
})

test('exec takes descriptors and /dev/null', async () => {
  await startContainer('sleep 100')
  const path = join(place.directory, 'output')
  const file = openSync(path, 'w')
  const stdio = { stdin: 'ignore', stdout: file, stderr: 'ignore' } as const
  const args = ['sh', '-c', 'readlink /proc/self/fd/0; echo lost >&2']
  expect(await exec({ ...named(), args, stdio })).toBe(0)
  closeSync(file)
  expect(readFileSync(path, 'utf8')).toBe('/dev/null\n')
})

test('an exec whose signal is aborted is killed, whatever it ignores, and what it leaves behind holds nothing up', async () => {
  await startContainer('sleep 100')
  const stdout = new PassThrough()
  const controller = new AbortController()
  stdout.once('data', () => controller.abort(reason))
  const args = ['sh', '-c', 'trap "" TERM; sleep 50 & echo ready; wait']
  const call = exec({ ...named(), args, stdio: { stdin: 'ignore', stdout }, signal: controller.signal })
  await expect(call).rejects.toBe(reason)
  const processes = place.tool(['ps', '--format', 'json', place.id])
  expect(JSON.parse(processes.stdout)).toHaveLength(2) // the container's own, and the one left behind
  await expect(exec({ ...named(), args: ['true'], signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
})

test('an exec that is aborted does not wait for those who still have its output, where that is a file', async () => {
  await startContainer('sleep 100')
  const path = join(place.directory, 'output')
  const file = openSync(path, 'w')
  const controller = new AbortController()
  const args = ['sh', '-c', 'sleep 50 & echo ready; wait']
  const stdio = { stdin: 'ignore', stdout: file, stderr: 'ignore' } as const
  const call = exec({ ...named(), args, stdio, signal: controller.signal })
  await vi.waitFor(() => expect(readFileSync(path, 'utf8')).toBe('ready\n'), 10_000)
  const begin = Date.now()
  controller.abort(reason)
  await expect(call).rejects.toBe(reason)
  expect(Date.now() - begin).toBeLessThan(10_000)
  closeSync(file)
})

test.each([
  ['', {}],
  [' without a PID namespace', { linux: { namespaces: [{ type: 'mount' }, { type: 'ipc' }, { type: 'uts' }] } }],
  [' in a user namespace', userNamespace],
] as const)('a run whose signal is aborted is killed and leaves nothing%s; compiled and kept', async (_, change) => {
  if (change === userNamespace) place.giveRootfsTo(100_000)
  place.configure('trap "" TERM HUP; sleep 50 & echo ready; while :; do sleep 1; done', change)
  const before = process.listenerCount('SIGTERM')
  for (let round = 0; round < 2; round++) {
    const controller = new AbortController()
    const stdout = new PassThrough()
    stdout.once('data', () => controller.abort(reason))
    const call = run({ ...base(), stdio: { stdin: 'ignore', stdout }, signal: controller.signal })
    await expect(call).rejects.toBe(reason)
    expect(place.leftovers()).toEqual([])
  }
  expect(process.listenerCount('SIGTERM')).toBe(before)
})

test('a run that is aborted at any moment of its start leaves nothing', async () => {
  place.configure('sleep 50')
  for (const noCache of [true, false]) {
    for (let delayMs = 0; delayMs <= 60; delayMs += 4) {
      const signal = AbortSignal.timeout(delayMs)
      const call = run({ ...base(), noCache, stdio: { stdin: 'ignore' }, signal })
      await expect(call).rejects.toMatchObject({ name: 'TimeoutError' })
      expect(place.leftovers()).toEqual([])
    }
  }
})

test('an abort kills no other container of the same ID', async () => {
  await startContainer('sleep 100')
  for (let delayMs = 0; delayMs <= 40; delayMs += 4) {
    await expect(run({ ...base(), noCache: true, signal: AbortSignal.timeout(delayMs) })).rejects.toThrow()
  }
  expect((await state(named())).status).toBe('running')
})

test('a container that is being created, or detached, is removed when its signal is aborted', async () => {
  place.configure('sleep 100')
  const calls = [
    (signal: AbortSignal) => create({ ...base(), signal }),
    (signal: AbortSignal) => run({ ...base(), detach: true, signal }),
  ]
  for (const call of calls) {
    for (let delayMs = 0; delayMs <= 20; delayMs += 2) {
      const result = await call(AbortSignal.timeout(delayMs)).catch((error: Error) => error.name)
      if (result === undefined || result === 0) await remove({ ...named(), force: true })
      else expect(result).toBe('TimeoutError')
      expect(place.leftovers()).toEqual([])
    }
  }
})

const endings = {
  'is killed': 'process.kill(process.pid, "SIGKILL")',
  'ends by itself': 'process.exit(3)',
  'ends by an error': 'throw new Error("an error")',
}
const cases = Object.entries(endings).flatMap(([name, end]) => [
  { name, end, rounds: 1, what: 'compiled' },
  { name, end, rounds: 2, what: 'kept' },
])

test.each(cases)(
  'a program that $name leaves no container that it was waiting for ($what)',
  async ({ end, rounds }) => {
    place.configure(
      'test -e /again || { echo > /again; exit 0; }; trap "" TERM HUP; sleep 50 & echo > /ready; wait',
      writable,
    )
    if (rounds === 1) writeFileSync(join(place.bundle, 'rootfs/again'), '')
    const script = `
    import { existsSync } from 'node:fs'
    import { run } from ${JSON.stringify(library)}
    for (let round = 0; round < ${rounds}; round++) {
      const call = run({ ...${JSON.stringify(base())}, stdio: { stdin: 'ignore', stdout: 'ignore', stderr: 'ignore' } })
      if (round === ${rounds - 1}) setInterval(() => { if (existsSync(${JSON.stringify(join(place.bundle, 'rootfs/ready'))})) { ${end} } }, 5)
      await call
    }`
    const program = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'ignore' })
    await once(program, 'exit')
    await isReady()
    await vi.waitFor(() => expect(place.leftovers()).toEqual([]), 10_000)
  },
)

test('a program that is killed takes its exec along, and leaves what it has detached', async () => {
  await startContainer('sleep 100', writable)
  const script = `
    import { exec } from ${JSON.stringify(library)}
    await exec({ ...${JSON.stringify(named())}, args: ['sh', '-c', 'trap "" TERM HUP; echo $$ > /ready; while :; do sleep 0.1; done'] })`
  const program = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'ignore' })
  await isReady()
  program.kill('SIGKILL')
  const count = (): number => JSON.parse(place.tool(['ps', '--format', 'json', place.id]).stdout).length
  await vi.waitFor(() => expect(count()).toBe(1), 10_000)
  expect((await state(named())).status).toBe('running')
})

test('an ordinary user runs containers, compiled and kept, and they end with the program', async () => {
  const user = 54_326
  const base = defaultConfig({ rootless: true, cgroupNamespace: false, uid: user, gid: user })
  const script =
    'echo hello; test -e /again || { echo > /again; exit 3; }; trap "" TERM HUP; echo > /ready; while :; do sleep 0.1; done'
  place.write({
    ...base,
    root: { path: 'rootfs' },
    process: { ...base.process, terminal: false, args: ['sh', '-c', script] },
  })
  execFileSync('chown', ['-R', `${user}:${user}`, place.directory])
  const options = { id: place.id, bundle: place.bundle, root: place.root }
  const program = `
    import { run } from ${JSON.stringify(library)}
    for (let round = 0; round < 2; round++) console.log(await run({ ...${JSON.stringify(options)}, stdio: { stdin: 'ignore' } }))`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    uid: user,
    gid: user,
    cwd: place.directory,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const output = text(child.stdout)
  await isReady()
  child.kill('SIGKILL')
  expect(await output).toBe('hello\n3\nhello\n')
  await vi.waitFor(() => expect(place.leftovers()).toEqual([]), 10_000)
})

/** Linux 6.15 tells how a process has ended that is no child of the one who asks. */
const [major = 0, minor = 0] = readFileSync('/proc/sys/kernel/osrelease', 'utf8').split('.').map(Number)
const tells = major > 6 || (major === 6 && minor >= 15)
const known = (status: number) => (tells ? { status } : { code: 'ERR_EXIT_STATUS_UNKNOWN' })
const waited = () =>
  wait(named()).then(
    (status) => ({ status }),
    ({ code }) => ({ code }),
  )

test('wait tells how a container has ended that nobody here has started', async () => {
  place.configure('while ! test -e /go; do sleep 0.02; done; exit 7', writable)
  await create(base())
  const waiting = [waited(), waited()]
  await start(named())
  await exec({ ...named(), args: ['sh', '-c', 'echo > /go'] })
  expect(await Promise.all(waiting)).toEqual([known(7), known(7)])
  expect((await state(named())).status).toBe('stopped')
  await remove(named())
  expect(place.leftovers()).toEqual([])
})

test('wait for one that a signal ends, for one that has ended, and for none', async () => {
  await startContainer('sleep 100')
  const waiting = waited()
  await kill({ ...named(), signal: 'KILL', wait: true })
  expect(await waiting).toEqual(known(137))
  await remove(named())
  await expect(wait(named())).rejects.toMatchObject({ code: 'ERR_CONTAINER_NOT_FOUND' })
  await startContainer('exit 3')
  await vi.waitFor(async () => expect((await state(named())).status).toBe('stopped'))
  const late = await waited()
  // As long as its parent has not reaped it, the kernel still tells.
  expect([{ status: 3 }, { code: 'ERR_EXIT_STATUS_UNKNOWN' }]).toContainEqual(late)
})

test('a wait ends with its signal, and the container goes on', async () => {
  await startContainer('sleep 100')
  await expect(wait({ ...named(), signal: AbortSignal.timeout(50) })).rejects.toMatchObject({ name: 'TimeoutError' })
  expect((await state(named())).status).toBe('running')
})

const stopSignal = (signal: string) => ({ annotations: { 'org.opencontainers.image.stopSignal': signal } })

test('stop sends the stop signal of the image, and kills what goes on', async () => {
  await startContainer('trap "exit 4" USR1; echo > /ready; while :; do sleep 0.05; done', {
    config: { ...stopSignal('SIGUSR1'), ...writable.config },
  })
  await isReady()
  const waiting = waited()
  expect(await stop(named())).toEqual({ wasKilled: false })
  expect(await waiting).toEqual(known(4))
  expect(await stop(named())).toEqual({ wasKilled: false })
  await remove(named())

  await startContainer('trap "" TERM; while :; do sleep 0.05; done')
  const begin = Date.now()
  expect(await stop({ ...named(), timeoutMs: 300 })).toEqual({ wasKilled: true })
  expect(Date.now() - begin).toBeGreaterThan(290)
  await remove(named())
  expect(place.leftovers()).toEqual([])
})

test('stop ends what is paused and what was never started; an unknown stop signal is an error', async () => {
  await startContainer('trap "exit 4" TERM; echo > /ready; while :; do sleep 0.05; done', writable)
  await isReady()
  place.tool(['pause', place.id])
  expect(await stop(named())).toEqual({ wasKilled: false })
  await remove(named())
  await create(base())
  expect(await stop(named())).toEqual({ wasKilled: true })
  await remove(named())
  await startContainer('sleep 100', { config: stopSignal('SIGNONE') })
  await expect(stop(named())).rejects.toMatchObject({
    code: 'ERR_CONFIG_INVALID',
    message: expect.stringContaining('SIGNONE'),
  })
})

test('an option that does not exist, or is missing, is refused by its name', async () => {
  const wrong = { ...base(), stdoi: {} }
  await expect(run(wrong)).rejects.toMatchObject({
    code: 'ERR_USAGE',
    message: 'run() has no option "stdoi"',
    hint: expect.stringContaining('stdio'),
  })
  const streams = { stdut: 'ignore' }
  await expect(run({ ...base(), stdio: streams as object })).rejects.toMatchObject({
    message: 'stdio of run() has no option "stdut"',
  })
  // An option that only the tool itself gives is no option of the library.
  await expect(exec({ ...named(), args: ['true'], handOver: () => undefined } as never)).rejects.toMatchObject({
    message: 'exec() has no option "handOver"',
  })
  await expect(kill({ root: place.root } as never)).rejects.toMatchObject({ message: 'kill() needs the option "id"' })
})

test('where containers are and which version it is need not be said', async () => {
  const script = `
    import { features, list } from ${JSON.stringify(library)}
    console.log(JSON.stringify([await list(), (await features()).annotations]))`
  const program = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [containers, annotations] = JSON.parse(await text(program.stdout))
  expect(Array.isArray(containers)).toBe(true)
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8'))
  expect(annotations).toEqual({ 'bundle-tool.version': version })
  expect(await features()).toMatchObject({ annotations })
  await expect(list({ root: join(place.root, 'none') })).rejects.toMatchObject({ code: 'ERR_USAGE' })
})
