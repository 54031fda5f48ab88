import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test as plainTest, vi } from 'vitest'
import { isSystemError } from '../../src/errors.ts'
import { buildTool } from '../c-tool.ts'
import { type ConfigChange, ContainerPlace } from '../container.ts'
import { requires } from '../requirements.ts'
import { type CallOptions, callBy, front, wayNames, ways } from './ways.ts'
import { withoutInterpreter } from './without-node.ts'

const { test } = requires('root', 'busybox', 'gcc', 'script')

const deafCaller = buildTool(join(import.meta.dirname, 'deaf-caller.c'))

let place: ContainerPlace
let shared: string
beforeEach(() => {
  place = new ContainerPlace()
  shared = join(place.directory, 'shared')
  mkdirSync(shared)
})
afterEach(() => place.close())

/** Shows the state of a process by itself: a shell would change it. */
const status = ['cat', '/proc/self/status'] as const
const signalsIn = (text: string): readonly string[] => text.match(/^Sig(?:Blk|Ign|Cgt):.*$/gm) ?? []
const untouched = ['SigBlk', 'SigIgn', 'SigCgt'].map((name) => `${name}:\t${'0'.repeat(16)}`)

const deaf = (more: CallOptions = {}): CallOptions => ({ ...more, before: [deafCaller()] })
const done = { end: 0, stdout: '', stderr: '' }
const remove = (): void => {
  place.tool(['delete', '-f', place.id])
}

/** Configures a container that has `shared` as /shared. */
function configure(args: readonly string[], change: ConfigChange = {}): void {
  const { mounts = [] } = place.configure('')
  const mount = { destination: '/shared', source: shared, options: ['bind', 'rw'] }
  place.configure('', {
    ...change,
    process: { ...change.process, args },
    config: { ...change.config, mounts: [...mounts, mount] },
  })
}

plainTest('a caller that ignores and blocks every signal is one', () => {
  const { stdout } = spawnSync(deafCaller(), status, { encoding: 'utf8' })
  const all = 'fffffffffffbfeff' // but SIGKILL and SIGSTOP
  expect(signalsIn(stdout)).toEqual([`SigBlk:\t${all}`, `SigIgn:\t${all}`, `SigCgt:\t${'0'.repeat(16)}`])
})

test.each(wayNames)('what the caller ignores and blocks is not for a container, by %s', (way) => {
  configure(status)
  const { end, stdout, stderr } = callBy(way, place, ['run', '-b', place.bundle, place.id], deaf())
  expect({ end, stderr, signals: signalsIn(stdout) }).toEqual({ end: 0, stderr: '', signals: untouched })
})

test.each(wayNames)('a pipeline in the container ends without a word, by %s', (way) => {
  place.configure('yes | head -n 1')
  const expected = { end: 0, stdout: 'y\n', stderr: '' }
  expect(callBy(way, place, ['run', '-b', place.bundle, place.id], deaf())).toEqual(expected)
})

test.each(wayNames)('nor for one that is created and started, by %s', async (way) => {
  configure(['cp', '/proc/self/status', '/shared/status'])
  const created = callBy(way, place, ['create', '-b', place.bundle, place.id], deaf({ undo: remove }))
  expect(created).toEqual(done)
  expect(callBy(way, place, ['start', place.id], deaf({ isDirect: true }))).toEqual(done)
  const signals = () => signalsIn(readFileSync(join(shared, 'status'), 'utf8'))
  await vi.waitFor(() => expect(signals()).toEqual(untouched), 5000)
})

test.each(wayNames)('nor for a process that joins it, by %s', (way) => {
  place.configure('sleep 1000')
  place.tool(['run', '-d', '-b', place.bundle, place.id])
  const file = join(place.directory, 'process.json')
  writeFileSync(file, JSON.stringify({ cwd: '/', args: status, env: ['PATH=/bin'], user: { uid: 1000, gid: 0 } }))
  for (const words of [
    ['exec', place.id, ...status],
    ['exec', '--process', file, place.id],
  ]) {
    const { end, stdout, stderr } = callBy(way, place, words, deaf())
    expect({ end, stderr, signals: signalsIn(stdout) }).toEqual({ end: 0, stderr: '', signals: untouched })
  }
})

test.each(wayNames)('nor for one with a terminal, by %s', (way) => {
  configure(status, { process: { terminal: true } })
  const { words, path, keeps } = ways[way]
  const run = ['--root', place.root, 'run', '-b', place.bundle, place.id]
  const inTerminal = (command: readonly string[], searchPath: string): string =>
    spawnSync('script', ['-qec', `PATH=${searchPath} ${command.join(' ')}`, '/dev/null'], {
      encoding: 'utf8',
      timeout: 20_000,
    }).stdout.replaceAll('\r', '')
  if (keeps) inTerminal([front, ...run], ways['the front, which compiles first'].path)
  expect(signalsIn(inTerminal([deafCaller(), ...words, ...run], path))).toEqual(untouched)
})

const hookKinds = ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop'] as const

test.each(wayNames)('nor for hooks of any kind, by %s', (way) => {
  const hook = (kind: (typeof hookKinds)[number]) => {
    const directory = kind === 'startContainer' ? '/shared' : shared
    return [{ path: '/bin/cp', args: ['cp', '/proc/self/status', join(directory, kind)] }]
  }
  configure(['true'], { config: { hooks: Object.fromEntries(hookKinds.map((kind) => [kind, hook(kind)])) } })
  const take = () =>
    hookKinds.map((kind) => {
      const text = readFileSync(join(shared, kind), 'utf8')
      rmSync(join(shared, kind))
      return { kind, signals: signalsIn(text) }
    })
  const expected = hookKinds.map((kind) => ({ kind, signals: untouched }))
  expect(callBy(way, place, ['run', '-b', place.bundle, place.id], deaf({ undo: take }))).toEqual(done)
  expect(take()).toEqual(expected)
  // In three steps, of which the last two leave hooks to Node.js.
  const later = way === 'Node.js' ? way : 'the front, which compiles first'
  const undo = () => {
    remove()
    for (const name of readdirSync(shared)) rmSync(join(shared, name))
  }
  expect(callBy(way, place, ['create', '-b', place.bundle, place.id], deaf({ undo }))).toEqual(done)
  expect(callBy(later, place, ['start', place.id], deaf())).toEqual(done)
  expect(callBy(later, place, ['delete', '-f', place.id], deaf())).toEqual(done)
  expect(take()).toEqual(expected)
})

test('a call that has failed says why, though it is asked to stop while its words are looked for', async () => {
  place.configure('exit 3')
  expect(place.run('exit 3').end).toBe(3)
  rmSync(join(place.bundle, 'rootfs/bin/sh'))
  const args = ['--root', place.root, 'run', '-b', place.bundle, place.id]
  const env = { PATH: `${dirname(process.execPath)}:/usr/bin:/bin`, ...withoutInterpreter }
  const call = spawn(front, args, { env, stdio: ['ignore', 'ignore', 'pipe'] })
  let stderr = ''
  call.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const closed = once(call, 'close')
  await vi.waitFor(() => expect(namesOfChildren(call.pid)).toContain('node'), { timeout: 10_000, interval: 1 })
  call.kill('SIGTERM')
  const [code] = await closed
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('executable file not found') })
})

function namesOfChildren(pid = 0): readonly string[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')
    return children.filter(Boolean).map((child) => readFileSync(`/proc/${child}/comm`, 'utf8').trim())
  } catch (error) {
    if (isSystemError(error, 'ENOENT') || isSystemError(error, 'ESRCH')) return []
    throw error
  }
}
