import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test as plainTest, vi } from 'vitest'
import { cgroupsNamed } from '../cgroup-directories.ts'
import { nodeStarted, withoutNode } from '../front/without-node.ts'
import { describeTree } from '../layer/oracle.ts'
import { file, tar } from '../layer/tar/builder.ts'
import { library } from '../library.ts'
import { sha256, startRegistry } from '../registry/fake-registry.ts'
import { requires } from '../requirements.ts'
import { makeImage, type TestImage } from '../source/build-image.ts'
import { image as busybox } from './engine-place.ts'
import { serve } from './image-command.ts'

const { describe: rootDescribe, test } = requires('root', 'busybox', '/usr/bin/setpriv', 'script')
const tool = join(import.meta.dirname, '../../dist/bundle-tool')

let top = ''
const at = (path: string): string => join(top, path)
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), 'try-'))
  chmodSync(top, 0o755)
  cpSync(busybox, at('busybox.tar'))
})
afterEach(() => {
  expect(left()).toEqual([])
  rmSync(top, { recursive: true, force: true })
})

/** All that a try must not leave: containers, their cgroups, their processes, mounts, and unfinished files of the store. */
function left(): readonly string[] {
  const ids = existsSync(at('root')) ? readdirSync(at('root')).filter((name) => !name.startsWith('.')) : []
  const partial = (
    existsSync(at('store')) ? readdirSync(at('store'), { recursive: true, encoding: 'utf8' }) : []
  ).filter((name) => /^(?:unpacked|tries)\/[^/]*\.[^/]*$/.test(name))
  const mounted = readFileSync('/proc/self/mountinfo', 'utf8').includes(top) ? ['a mount'] : []
  return [...ids, ...ids.flatMap((id) => cgroupsNamed(id)), ...partial, ...mounted]
}

const callers = [
  ['root', 0],
  ['a user without rights', 54_321],
] as const

interface Call {
  readonly path?: string
  readonly cwd?: string
  readonly input?: string
}

const wordsOf = (uid: number, words: readonly string[]): readonly string[] => [
  ...['--reuid', `${uid}`, '--regid', `${uid}`, '--clear-groups', '--', tool, '--root', at('root')],
  ...['try', '--store', at('store'), ...words],
]
const environment = (path = process.env.PATH ?? '') => ({ PATH: path, HOME: top, BUNDLE_TOOL_INTERPRETER: '' })

/** Runs `try` as a user to its end. */
function tryAs(uid: number, words: readonly string[], { path, cwd = top, input = '' }: Call = {}) {
  chownSync(top, uid, uid)
  const how = { cwd, input, env: environment(path), encoding: 'utf8', timeout: 60_000 } as const
  const { status, signal, stdout, stderr } = spawnSync('/usr/bin/setpriv', wordsOf(uid, words), how)
  return { end: signal ?? status, stdout, stderr }
}

/** The same for a test whose registry must answer meanwhile. */
async function tryAlone(uid: number, words: readonly string[]) {
  const child = spawn('/usr/bin/setpriv', wordsOf(uid, words), {
    cwd: top,
    env: { ...environment(), CONTAINERS_REGISTRIES_CONF: '/dev/null' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [stdout, stderr, end] = await Promise.all([text(child.stdout), text(child.stderr), endOf(child)])
  return { end, stdout, stderr }
}

const inBusybox = (script: string): readonly string[] => ['-q', 'busybox.tar', 'sh', '-c', script]

rootDescribe.each(callers)('as %s', (_, uid) => {
  plainTest('an archive is run in one step, the second time without Node.js, and nothing of it is left', () => {
    const script = 'echo hello; cat; echo written > /file; cat /file; exit 7'
    const first = tryAs(uid, inBusybox(script), { input: 'input\n' })
    expect(first).toEqual({ end: 7, stdout: 'hello\ninput\nwritten\n', stderr: '' })
    const [tree = ''] = readdirSync(at('store/unpacked'))
    const before = describeTree(at(`store/unpacked/${tree}`))
    expect(before.join('\n')).not.toContain('file ')
    const second = tryAs(uid, inBusybox(script), { input: 'input\n', path: withoutNode })
    expect(second).toEqual(first)
    expect(describeTree(at(`store/unpacked/${tree}`))).toEqual(before)
    expect(readdirSync(at('store/unpacked'))).toEqual([tree])
    expect(readdirSync(at('store/tries'))).toHaveLength(1)
  })

  plainTest('what decides the container is compared: the file, the words, the directory, the policy', () => {
    const call = inBusybox('echo $A')
    const started = { end: nodeStarted.status, stderr: expect.stringContaining(nodeStarted.said) }
    expect(tryAs(uid, ['-e', 'A=1', ...call]).stdout).toBe('1\n')
    expect(tryAs(uid, ['-e', 'A=1', ...call], { path: withoutNode }).stdout).toBe('1\n')
    expect(tryAs(uid, ['-e', 'A=2', ...call], { path: withoutNode })).toMatchObject(started)
    mkdirSync(at('other'))
    expect(tryAs(uid, ['-e', 'A=1', ...call], { path: withoutNode, cwd: at('other') })).toMatchObject(started)
    utimesSync(at('busybox.tar'), 1, 1)
    expect(tryAs(uid, ['-e', 'A=1', ...call], { path: withoutNode })).toMatchObject(started)
    expect(tryAs(uid, ['-e', 'A=1', ...call]).stdout).toBe('1\n')
    mkdirSync(at('.config/containers'), { recursive: true })
    writeFileSync(at('.config/containers/policy.json'), '{"default": [{"type": "reject"}]}')
    expect(tryAs(uid, ['-e', 'A=1', ...call], { path: withoutNode })).toMatchObject(started)
    expect(tryAs(uid, ['-e', 'A=1', ...call])).toMatchObject({
      end: 125,
      stderr: expect.stringContaining('policy.json'),
    })
  })

  plainTest('a variable of the caller is read each time', () => {
    const call = ['-e', 'HOME', ...inBusybox('echo $HOME')]
    expect(tryAs(uid, call)).toMatchObject({ end: 0, stdout: `${top}\n` })
    expect(tryAs(uid, call, { path: withoutNode })).toMatchObject({ end: nodeStarted.status })
  })

  plainTest('system calls are filtered, unless that is taken back', () => {
    const call = inBusybox('grep ^Seccomp: /proc/self/status')
    expect(tryAs(uid, call).stdout).toBe('Seccomp:\t2\n')
    expect(tryAs(uid, ['--security-opt=seccomp=unconfined', ...call]).stdout).toBe('Seccomp:\t0\n')
  })

  plainTest('errors are told from exit codes of the program as by docker run', () => {
    const ends = (words: readonly string[]) => [tryAs(uid, words).end, tryAs(uid, words).end]
    expect(ends(['-q', 'busybox.tar', 'missing'])).toEqual([127, 127])
    expect(ends(['-q', 'busybox.tar', '/etc'])).toEqual([126, 126])
    expect(ends(['-q', './missing.tar'])).toEqual([125, 125])
    expect(ends(['-q', '--missing', 'busybox.tar'])).toEqual([125, 125])
    expect(ends(inBusybox('kill -9 $$; exit 3'))).toEqual([3, 3])
  })

  plainTest('with --keep the bundle stays, with all that was written', () => {
    const kept = tryAs(uid, ['--keep', '--name', 'mine', ...inBusybox('echo written > /file')])
    expect(kept).toEqual({ end: 0, stdout: '', stderr: `kept: ${at('mine')}\n` })
    expect(readFileSync(at('mine/rootfs/file'), 'utf8')).toBe('written\n')
    expect(tryAs(uid, ['--keep', '--name', 'mine', ...inBusybox('true')])).toMatchObject({ end: 125 })
    const again = spawnSync(tool, ['--root', at('root'), 'run', '-b', at('mine'), 'again'], { uid, gid: uid, cwd: top })
    expect(again.status).toBe(0)
  })

  plainTest('the user of the image and the groups of the rootfs hold, and a rootfs archive runs too', () => {
    mkdirSync(at('rootfs/bin'), { recursive: true })
    cpSync('/bin/busybox', at('rootfs/bin/busybox'))
    execFileSync('tar', ['-C', at('rootfs'), '-cf', at('rootfs.tar'), '.'])
    const { end, stdout, stderr } = tryAs(uid, ['-q', 'rootfs:rootfs.tar', 'busybox', 'ls', '/'])
    expect({ end, stdout, stderr }).toMatchObject({ end: 0, stderr: '', stdout: expect.stringMatching(/^bin\ndev\n/) })
    expect(readdirSync(at('store/tries'))).toEqual([])
  })
})

/** Starts a try whose container writes when it runs; what it does then can depend on a line of input. */
async function startTry(words: readonly string[], { path, input = '' }: Call = {}): Promise<ChildProcess> {
  const stdio = ['pipe', 'pipe', 'inherit'] as const
  const child = spawn('/usr/bin/setpriv', wordsOf(0, words), { cwd: top, env: environment(path), stdio: [...stdio] })
  child.stdin?.write(`${input}\n`)
  await Promise.race([once(child.stdout ?? child, 'data'), once(child, 'close')])
  return child
}

async function endOf(child: ChildProcess): Promise<number | NodeJS.Signals> {
  const [code, signal] = await once(child, 'close')
  return signal ?? code
}

describe.each([
  ['Node.js runs', { path: process.env.PATH ?? '' }],
  ['the front runs', { path: withoutNode }],
])('a container that %s', (_, { path }) => {
  /** Starts a try, in the front's hands after an earlier one of the same words that had no input. */
  async function startAgain(words: readonly string[], input: string): Promise<ChildProcess> {
    if (path === withoutNode) expect(tryAs(0, words)).toMatchObject({ end: 0 })
    return await startTry(words, { path, input })
  }

  // A shell would not do: it catches SIGINT until it becomes its last command, and what it caught is lost with it.
  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('ends by %s, though its program has no handler and is the first one', async (signal, code) => {
    const child = await startAgain(['-q', 'busybox.tar', 'cat'], 'started')
    child.kill(signal)
    expect([code, signal]).toContain(await endOf(child))
  })

  test('hears a signal that it has a handler for', async () => {
    const script = 'trap "exit 5" TERM; read word; echo started; while test "$word"; do sleep 0.05; done'
    const child = await startAgain(inBusybox(script), 'word')
    child.kill('SIGTERM')
    expect(await endOf(child)).toBe(5)
  })

  test('ends with a process that is killed, and the next one removes what is left', async () => {
    const child = await startAgain(inBusybox('read time; echo started; test -z "$time" || sleep $time'), '100')
    child.kill('SIGKILL')
    expect(await endOf(child)).toBe('SIGKILL')
    for (let wait = 0; wait < 100 && processesIn('sleep 100') > 0; wait++) await sleep(20)
    expect(processesIn('sleep 100')).toBe(0)
    expect(tryAs(0, inBusybox('true'))).toMatchObject({ end: 0 })
    expect(left()).toEqual([])
  })
})

test('a container has a name that can be had again when its process was killed', async () => {
  const named = (...words: readonly string[]) => ['--name', 'named', ...words]
  const child = await startTry(named('-q', 'busybox.tar', 'cat'), { input: 'started' })
  const taken = expect.stringContaining('already exists')
  expect(tryAs(0, named(...inBusybox('true')))).toMatchObject({ end: 125, stderr: taken })
  child.kill('SIGKILL')
  await endOf(child)
  await vi.waitFor(() => expect(tryAs(0, named(...inBusybox('exit 3')))).toMatchObject({ end: 3, stderr: '' }), 5000)
  expect(left()).toEqual([])
  const detached = ['run', '-d', '-b', at('kept'), 'named']
  expect(tryAs(0, ['--keep', '--name', 'kept', ...inBusybox('true')]).end).toBe(0)
  const stopped = spawnSync(tool, ['--root', at('root'), ...detached], { cwd: top, stdio: 'ignore' })
  expect(stopped.status).toBe(0)
  // It is nobody's leftover: someone may want to see how it ended.
  await vi.waitFor(() => expect(tryAs(0, named(...inBusybox('true')))).toMatchObject({ end: 125, stderr: taken }), 5000)
  spawnSync(tool, ['--root', at('root'), 'delete', '-f', 'named'])
})

/** The processes below this test's place that have these words. */
function processesIn(words: string): number {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false
    const read = (name: string): string =>
      existsSync(`/proc/${pid}/${name}`) ? readFileSync(`/proc/${pid}/${name}`, 'latin1').replaceAll('\0', ' ') : ''
    return read('cmdline').includes(words) && read('cgroup').includes('/try-')
  }).length
}

test('a signal while the image is unpacked leaves nothing', async () => {
  for (let wait = 0; wait < 12; wait++) {
    const child = spawn('/usr/bin/setpriv', wordsOf(0, inBusybox('true')), {
      cwd: top,
      env: environment(),
      stdio: 'ignore',
    })
    const ended = endOf(child)
    await sleep(40 + wait * 15)
    child.kill('SIGINT')
    await ended
    expect(left()).toEqual([])
    rmSync(at('store'), { recursive: true, force: true })
  }
})

test('a terminal is given where the caller has one', () => {
  const script = (command: string) =>
    execFileSync('script', ['-qec', command, '/dev/null'], { encoding: 'utf8', cwd: top })
  const command = `${tool} --root ${at('root')} try --store ${at('store')} -q busybox.tar sh -c 'if test -t 0; then echo yes; fi'`
  expect(script(command)).toContain('yes')
  expect(script(command)).toContain('yes')
  expect(script(`${command} | cat`)).not.toContain('yes')
  expect(script(command.replace(' try ', ' try --no-tty '))).not.toContain('yes')
})

test('the progress is gone before the container has the terminal', () => {
  const words = `--store ${at('store')} busybox.tar sh -c 'echo begun; sleep 1; echo ended'`
  const command = `stty columns 80 rows 24; ${tool} --root ${at('root')} try ${words}`
  const shown = execFileSync('script', ['-qec', command, '/dev/null'], { encoding: 'utf8', cwd: top })
  expect(shown).toContain('unpacking')
  expect(shown.slice(shown.indexOf('begun'))).toBe('begun\r\nended\r\n')
})

/** An image that shows a text; it is for this machine, and has one file. */
function showing(content: string): TestImage {
  const layer = tar(file('busybox', readFileSync('/bin/busybox'), { mode: 0o755 }), file('text', content))
  const descriptor = {
    mediaType: 'application/vnd.oci.image.layer.v1.tar',
    digest: sha256(layer),
    size: layer.length,
  }
  const architecture = process.arch === 'x64' ? 'amd64' : process.arch
  const cmd = ['/busybox', 'cat', '/text']
  return makeImage([{ blob: layer, diffID: sha256(layer), descriptor }], { architecture, cmd })
}

test('an image of a registry is fetched once, and again where --pull says so', async () => {
  await using registry = await startRegistry()
  serve(registry, showing('one'))
  const name = `${registry.host}/app:1`
  const run = (...words: readonly string[]) => tryAlone(0, ['-q', ...words])
  expect(await run('--pull=never', name)).toMatchObject({ end: 125, stderr: expect.stringContaining('--pull never') })
  expect(await run(name)).toEqual({ end: 0, stdout: 'one', stderr: '' })
  serve(registry, showing('two'))
  const count = registry.requests.length
  expect(await run(name)).toMatchObject({ end: 0, stdout: 'one' })
  expect(await run('--pull', 'never', name)).toMatchObject({ end: 0, stdout: 'one' })
  expect(registry.requests.length).toBe(count)
  expect(await run('--pull=always', name)).toMatchObject({ end: 0, stdout: 'two' })
  expect(await run(name)).toMatchObject({ end: 0, stdout: 'two' })
  expect(registry.requests.length).toBeGreaterThan(count)
})

test('the library does the same', async () => {
  const options = { store: at('store'), root: at('root'), changes: { args: ['sh', '-c', 'exit 9'] }, env: {} }
  expect(await library.tryImage(at('busybox.tar'), options)).toBe(9)
  expect(await Promise.all([1, 2, 3].map(() => library.tryImage(at('busybox.tar'), options)))).toEqual([9, 9, 9])
  const controller = new AbortController()
  const run = library.tryImage(at('busybox.tar'), {
    ...options,
    changes: { args: ['sleep', '100'] },
    signal: controller.signal,
  })
  setTimeout(() => controller.abort(new Error('enough')), 500)
  await expect(run).rejects.toThrow('enough')
})

test('prune leaves the files of a container that runs, and removes them afterwards', async () => {
  const child = await startTry(inBusybox('echo started; sleep 2; cat /etc/passwd >/dev/null && exit 6'))
  const prune = () => execFileSync(tool, ['prune', '--store', at('store')])
  prune()
  expect(readdirSync(at('store/unpacked'))).toHaveLength(1)
  expect(await endOf(child)).toBe(6)
  prune()
  expect(readdirSync(at('store/unpacked'))).toEqual([])
  expect(readdirSync(at('store/tries'))).toEqual([])
})
