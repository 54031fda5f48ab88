import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect } from 'vitest'
import { type Call, optionsOfCall } from '../../src/program/options.ts'
import { ContainerPlace } from '../container.ts'
import { randomNumbers } from '../interpreter/random.ts'
import { requires } from '../requirements.ts'

/**
 * Command lines made of a seed mean the same to the front, which parses them in C, keeps programs and uses them, and to the
 * command line, which does all of it in TypeScript, in Node.js or in the interpreter. COMMAND_LINES=3000 tries so many, COMMAND_LINES_SEED others.
 */
const { test } = requires('root', 'busybox')

const count = Number(process.env.COMMAND_LINES ?? '160')
const seed = Number(process.env.COMMAND_LINES_SEED ?? '1')
const front = join(import.meta.dirname, '../../bin/bundle-tool')
const script = join(import.meta.dirname, '../../bin/bundle-tool.js')
const built = join(import.meta.dirname, '../../dist')
const interpreter = join(built, 'bundle-tool-interpreter')
/** The ways that are compared with the command line in Node.js. The first may keep a program, which the second then uses. */
const ways: Readonly<Record<string, readonly string[]>> = {
  first: [front],
  second: [front],
  'by Node.js alone': ['env', 'BUNDLE_TOOL_INTERPRETER=', front],
  ...(existsSync(interpreter) && { 'in the interpreter': [interpreter, join(built, 'bin/bundle-tool.js')] }),
}
const show = 'id; env | sort; pwd; umask; grep "Cap\\|NoNew\\|Sig[BIC]" /proc/self/status; ls -l /proc/self/fd | wc -l'

let place: ContainerPlace
let running: string
beforeAll(() => {
  place = new ContainerPlace()
  const { process } = place.configure('sleep 1000')
  running = `${place.id}-r`
  expect(place.tool(['run', '-d', '-b', place.bundle, running])).toMatchObject({ end: 0 })
  writeFileSync(join(place.directory, 'process.json'), JSON.stringify({ ...process, args: ['sh', '-c', show] }))
  place.configure(`${show}; exit 3`)
})
afterAll(() => place.close())

type Choose = <T>(...items: readonly T[]) => T

const texts = [
  '',
  ' ',
  'x',
  '0',
  '1',
  '-1',
  '1000',
  '1000:1000',
  '/',
  '/bin',
  'bin',
  '..',
  'A=b',
  'A=',
  '=b',
  'é',
  'a\nb',
]

/** Values that fit an option more often than not. */
function textFor(name: string, choose: Choose): string {
  const fitting: Readonly<Record<string, readonly string[]>> = {
    bundle: [place.bundle, '.', '', 'bundle', `${place.directory}/./bundle`],
    'pid-file': ['pid', join(place.directory, 'pid'), './pid', '/nonexistent/pid'],
    process: [join(place.directory, 'process.json'), 'process.json', '/dev/null', '/nonexistent'],
    user: ['0', '1000', '1000:1000', 'root'],
    'additional-gids': ['0', '5', '4294967295'],
    cwd: ['/', '/bin', '/nonexistent-in-the-container', 'bin'],
    env: ['A=b', 'PATH=/bin:/usr/bin', 'B=a b'],
    cap: ['CAP_NET_ADMIN', 'net_admin', 'CAP_NONE'],
    'preserve-fds': ['0', '1', '00', '1e3'],
  }
  return choose(...(fitting[name] ?? texts), ...(fitting[name] ?? []), choose(...texts))
}

function optionWords(command: Call, choose: Choose): readonly string[] {
  const commands: readonly Call[] = ['run', 'create', 'exec']
  const { name, letter, value } = choose(...optionsOfCall(choose(command, command, command, ...commands)))
  const form = letter === undefined ? `--${name}` : choose(`--${name}`, `-${letter}`, `-${name}`, `--${letter}`)
  if (value === undefined) return choose([form], [form], [`${form}=true`], [`${form}=false`])
  const text = textFor(name, choose)
  return choose([form, text], [form, text], [`${form}=${text}`], [form])
}

function commandLine(random: () => number): readonly string[] {
  const choose: Choose = (...items) => items[Math.floor(random() * items.length)] as (typeof items)[number]
  const some = <T>(most: number, make: () => readonly T[]): readonly T[] =>
    Array.from({ length: Math.floor(random() * (most + 1)) }, make).flat()
  const command = choose<Call>('run', 'exec', 'exec', 'create')
  const log = join(place.directory, 'log')
  const globals = some(1, () =>
    choose(
      ['--log', log],
      [`--log=${log}`],
      ['--log', ''],
      ['--log-format', 'json'],
      ['--log-format=xml'],
      ['--debug'],
      ['--nonsense'],
    ),
  )
  const options = some(3, () => optionWords(command, choose))
  const own = command === 'exec' ? running : place.id
  const id = choose(own, own, own, own, own, own, 'none', '', '-x', '.', 'a/b', 'é')
  const words =
    command === 'exec'
      ? choose(['sh', '-c', show], ['sh', '-c', show], ['sh', '-c', show, '--tty', '-e', 'x'], ['nonsense'], [''], [])
      : choose([], [], [], ['more'], ['--keep'])
  const before = command !== 'exec' && random() < 0.5 ? choose([place.bundle], ['.'], ['']) : []
  return ['--root', place.root, ...globals, command, ...options, ...before, id, ...words]
}

/** Until a detached process has written and ended: it may begin to run when its call has ended. */
function waitForOthers(): void {
  for (let quiet = 0; quiet < 5; quiet = place.processes().length > 1 ? 0 : quiet + 1) spawnSync('sleep', ['0.02'])
}

/** The result of a call: its exit code, its output and log, and the files that are left of it. */
function outcomeOf(command: readonly string[]) {
  const [out, log] = ['out', 'log'].map((name) => join(place.directory, name)) as [string, string]
  rmSync(log, { force: true })
  const shell = 'exec "$@" >"$OUT" 2>&1 </dev/null'
  const { status, signal } = spawnSync('/bin/sh', ['-c', shell, 'sh', ...command], {
    env: { PATH: `${dirname(process.execPath)}:/usr/bin:/bin`, OUT: out },
    cwd: place.bundle,
    timeout: 30_000,
    killSignal: 'SIGKILL',
  })
  const files = [place.bundle, place.directory].flatMap((directory) =>
    readdirSync(directory).filter((name) => !['out', 'log'].includes(name)),
  )
  const isDetached = command.some((word) => /^--?d/.test(word))
  if (isDetached) waitForOthers()
  const made = place.states().filter((id) => id !== running)
  for (const id of made) place.tool(['delete', '-f', id])
  for (const directory of [place.bundle, place.directory]) rmSync(join(directory, 'pid'), { force: true })
  // A stack of Node.js ends in the file that it was started with.
  const plain = (text: string): string =>
    [/("time":|time=)"[^"]*"/g, /\/proc\/\d+/g, /(?:\\n|\n) {4}at .*/g].reduce(
      (all, part) => all.replace(part, ''),
      text,
    )
  const logged = existsSync(log) ? plain(readFileSync(log, 'utf8')) : undefined
  const lines = plain(readFileSync(out, 'utf8')).split('\n')
  // Output of a detached process and lines of the log come in any order.
  const output = (isDetached ? lines.sort() : lines).join('\n')
  return { status, signal, output, log: logged, made, files }
}

test('mean the same to the front and to the command line', { timeout: 3_600_000 }, () => {
  const random = randomNumbers(seed)
  const different: unknown[] = []
  let successes = 0
  for (let index = 0; index < count; index++) {
    const args = commandLine(random)
    const expected = outcomeOf([process.execPath, script, ...args])
    for (const [way, tool] of Object.entries(ways)) {
      const got = outcomeOf([...tool, ...args])
      if (JSON.stringify(got) !== JSON.stringify(expected)) different.push({ args, way, got, expected })
    }
    if (expected.status === 3 || expected.status === 0) successes++
  }
  expect(different).toEqual([])
  expect(successes).toBeGreaterThan(count / 10)
})
