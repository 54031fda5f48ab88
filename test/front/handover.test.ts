import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, vi } from 'vitest'
import { ContainerPlace } from '../container.ts'
import { nodeCompiler } from '../interpreter/compiled.ts'
import { requires } from '../requirements.ts'
import { withoutInterpreter } from './without-node.ts'

const { test } = requires('root', 'busybox')
const withInterpreter = requires('root', 'busybox', 'interpreter')

const project = join(import.meta.dirname, '../..')
const front = join(project, 'bin/bundle-tool')
const path = `${dirname(process.execPath)}:/usr/bin:/bin`

let place: ContainerPlace
beforeEach(() => {
  place = new ContainerPlace()
})
afterEach(() => place.close())

/** The front's answer, but for the log's time; `demo` stands for the ID of the test. */
function call(tool: readonly string[], args: readonly string[]) {
  const [out, err] = ['out', 'err'].map((name) => join(place.directory, name)) as [string, string]
  const script = 'exec "$@" >"$OUT" 2>"$ERR" </dev/null'
  const { status, signal } = spawnSync(
    '/bin/sh',
    ['-c', script, 'sh', ...tool, '--root', place.root, ...withID(args)],
    {
      env: { PATH: path, OUT: out, ERR: err, BUNDLE_TOOL_NAME: 'bundle-tool' },
      cwd: place.bundle,
      timeout: 30_000,
    },
  )
  const text = (file: string) => readFileSync(file, 'utf8').replace(/time="[^"]*"/g, '')
  return { end: signal ?? status, stdout: text(out), stderr: text(err) }
}
const withID = (words: readonly string[]) => words.map((word) => (word === 'demo' ? place.id : word))
const byFront = (...args: readonly string[]) => call([front], args)
const byJavaScript = (...args: readonly string[]) => call([process.execPath, join(project, 'bin/bundle-tool.js')], args)

const commandLines: Readonly<Record<string, readonly string[]>> = {
  'a container that exits': ['run', '--no-cache', 'demo'],
  'the help of a command': ['run', '--help'],
  'an option that does not exist': ['run', '--nonsense', 'demo'],
  'no ID': ['create'],
  'a bundle that does not exist': ['run', '-b', '/nonexistent', 'demo'],
  'an ID that is none': ['run', 'a/b'],
  'a log format that is none': ['--log-format', 'xml', 'run', 'demo'],
  'one dash and an equals sign': ['run', '-bundle=.', '-keep=false', 'demo'],
  'a container that does not exist': ['exec', 'nobody', 'true'],
  'no command to execute': ['exec', 'demo'],
  'debugging output': ['--debug', 'exec', 'nobody', 'true'],
}

describe('compiled by a child and executed by the front, everything is the same', () => {
  test.each(Object.entries(commandLines))('%s', (_, args) => {
    place.configure('echo out; echo err >&2; exit 3')
    const answer = byJavaScript(...args)
    const withoutStack = (text: string): string => text.replaceAll(/\\n {4}at .*?(?="\n|\\n)/g, '')
    const own = byFront(...args)
    expect({ ...own, stderr: withoutStack(own.stderr) }).toEqual({ ...answer, stderr: withoutStack(answer.stderr) })
    expect(place.leftovers()).toEqual([])
  })

  test('exec: its output, its exit code, and what fails', () => {
    place.configure('sleep 100')
    expect(byFront('run', '-d', 'demo')).toEqual({ end: 0, stdout: '', stderr: '' })
    for (const words of [
      ['demo', 'sh', '-c', 'echo out; echo err >&2; exit 7'],
      ['--cwd', '/bin', '-e', 'A=b', 'demo', 'sh', '-c', 'pwd; echo $A'],
      ['demo', 'sh', '-c', 'kill -9 $$'],
      ['demo', 'nonsense'],
      ['demo', '/etc'],
      ['--cwd', '/nonexistent/x', '--user', '1000', 'demo', 'true'],
      ['--cgroup', 'nonsense', 'demo', 'true'],
    ]) {
      expect(byFront('exec', ...words), words.join(' ')).toEqual(byJavaScript('exec', ...words))
    }
    expect(byFront('delete', '-f', 'demo').end).toBe(0)
  })

  test('as many words as there are', () => {
    place.configure('sleep 100')
    byFront('run', '-d', 'demo')
    const words = Array.from({ length: 6000 }, (_, index) => String(index))
    expect(byFront('exec', 'demo', 'sh', '-c', 'echo $#', ...words)).toEqual({ end: 0, stdout: '5999\n', stderr: '' })
    byFront('delete', '-f', 'demo')
  })

  test('a step that fails is explained, and undone', () => {
    const config = place.configure('true')
    place.write({ ...config, mounts: [...(config.mounts ?? []), { destination: '/x', type: 'none', source: '/gone' }] })
    const answer = byJavaScript('run', 'demo')
    expect(answer).toMatchObject({ end: 1, stderr: expect.stringContaining('none on /x') })
    expect(byFront('run', 'demo')).toEqual(answer)
    expect(place.leftovers()).toEqual([])
  })

  test('a warning of the compiler', () => {
    place.configure('exit 3', { linux: { resources: { memory: { kernel: 1 << 30 } } } })
    const answer = byJavaScript('run', 'demo')
    expect(answer).toMatchObject({ end: 3, stderr: expect.stringContaining('kernel memory') })
    expect(byFront('run', 'demo')).toEqual(answer)
  })

  test('a filter that cannot be compiled', () => {
    const architectures = ['SCMP_ARCH_NONSENSE']
    place.configure('true', { linux: { seccomp: { defaultAction: 'SCMP_ACT_ALLOW', architectures } } })
    const answer = byJavaScript('run', 'demo')
    expect(answer).toMatchObject({ end: 1, stderr: expect.stringContaining('SCMP_ARCH_NONSENSE') })
    expect(byFront('run', 'demo')).toEqual(answer)
  })

  test('a hook that cannot be undone is warned of', () => {
    const hook = { path: '/bin/sh', args: ['sh', '-c', 'exit 4'] }
    place.configure('exit 3', { config: { hooks: { poststop: [hook] } } })
    const answer = byJavaScript('run', 'demo')
    expect(answer).toMatchObject({ end: 3, stderr: expect.stringContaining('poststop hook #0: exit status 4') })
    expect(byFront('run', 'demo')).toEqual(answer)
    expect(place.leftovers()).toEqual([])
  })
})

test('Node.js is gone when the container runs, and nothing of the front is in its environment', async () => {
  place.configure('env > /env; echo > /ready; sleep 100', { config: { root: { path: 'rootfs' } } })
  const tool = spawn(front, ['--root', place.root, 'run', '-b', place.bundle, place.id], { env: { PATH: path } })
  const file = (name: string) => join(place.bundle, 'rootfs', name)
  await vi.waitFor(() => expect(existsSync(file('ready'))).toBe(true), 10_000)
  const childrenOf = () => readFileSync(`/proc/${tool.pid}/task/${tool.pid}/children`, 'utf8').trim().split(' ')
  await vi.waitFor(() => expect(childrenOf()).toHaveLength(1), 10_000)
  const children = childrenOf()
  expect(readFileSync(`/proc/${children[0]}/cmdline`, 'latin1')).toMatch(/^sleep\0/)
  expect(readFileSync(file('env'), 'utf8')).not.toContain('BUNDLE_TOOL')
  expect(readdirSync(`/proc/${tool.pid}/task`)).toHaveLength(1)
  tool.kill('SIGKILL')
  await once(tool, 'exit')
  byFront('delete', '-f', 'demo')
})

test.each(['0', '0-1'])('with CPUs %s a container is compiled for, and has the CPUs of any other', (cpus) => {
  place.configure('grep Cpus_allowed_list /proc/self/status')
  const onThese = (...args: readonly string[]) => call(['taskset', '-c', cpus, front], args)
  const compiled = onThese('run', '--no-cache', 'demo')
  expect(compiled).toMatchObject({ end: 0, stderr: '', stdout: expect.stringContaining('Cpus_allowed_list') })
  onThese('run', 'demo')
  expect(onThese('run', 'demo')).toEqual(compiled)
})

test('Node.js dies with the front that waits for it', async () => {
  const bin = join(place.directory, 'bin')
  mkdirSync(bin)
  writeFileSync(join(bin, 'node'), `#!/bin/sh\necho $$ > ${place.directory}/pid\nexec sleep 100\n`, { mode: 0o755 })
  const env = { PATH: `${bin}:/usr/bin:/bin`, ...withoutInterpreter }
  const tool = spawn(front, ['--root', place.root, 'run', 'demo'], { env })
  await vi.waitFor(() => expect(existsSync(join(place.directory, 'pid'))).toBe(true), 5000)
  const pid = readFileSync(join(place.directory, 'pid'), 'utf8').trim()
  tool.kill('SIGKILL')
  await once(tool, 'exit')
  // Whoever inherits it may take seconds to reap it.
  await vi.waitFor(() => expect(stateOf(pid)).toMatch(/^[ZX]?$/), 10_000)
})

/** The letter of a process's state (man 5 proc_pid_stat), or '' when there is none. */
function stateOf(pid: string): string {
  const path = `/proc/${pid}/stat`
  return existsSync(path) ? (/\) (\w)/.exec(readFileSync(path, 'utf8'))?.[1] ?? '') : ''
}

describe('which Node.js is started', () => {
  /** The scripts that Node.js was started with for a call, one after the other. */
  const scripts = (...args: readonly string[]): readonly string[] => scriptsWith(withoutInterpreter, args)
  const scriptsWith = (env: Readonly<Record<string, string>>, args: readonly string[]): readonly string[] => {
    const bin = join(place.directory, 'bin')
    const log = join(place.directory, 'started')
    mkdirSync(bin, { recursive: true })
    writeFileSync(log, '')
    writeFileSync(join(bin, 'node'), `#!/bin/sh\necho "$@" >>${log}\nexec ${process.execPath} "$@"\n`, { mode: 0o755 })
    spawnSync(front, ['--root', place.root, ...args], {
      cwd: place.bundle,
      env: { PATH: bin, ...env },
      stdio: 'ignore',
    })
    return [...readFileSync(log, 'utf8').matchAll(/\S*\/(boot[\w.-]*)/g)].map(([, name = '']) => name)
  }

  test('the command line, where there is no interpreter', () => {
    place.configure('sleep 100')
    expect(scripts('run', '-d', '--pid-file', 'pid', place.id)).toEqual(['boot.js'])
    expect(scripts('exec', place.id, 'true')).toEqual(['boot.js'])
    expect(scripts('delete', '-f', place.id)).toEqual([])
    expect(scripts('create', place.id)).toEqual(['boot.js'])
    expect(scripts('create', place.id)).toEqual(['boot.js']) // the kept program failed, which is to be explained
    expect(scripts('delete', place.id)).toEqual([])
  })

  test('without options of its own, so that its hash tables have a seed', () => {
    const bin = join(place.directory, 'bin')
    mkdirSync(bin)
    writeFileSync(join(bin, 'node'), '#!/bin/sh\necho "$@"\n', { mode: 0o755 })
    const env = { PATH: bin, ...withoutInterpreter }
    const started = execFileSync(front, ['run', '-b', place.bundle, 'demo'], { env, encoding: 'utf8' })
    expect(started).toBe(`-- ${join(project, 'dist/bin/boot.js')} run -b ${place.bundle} demo\n`)
  })

  withInterpreter.test('none where there is an interpreter, also where there is something to be said', () => {
    place.configure('sleep 100')
    expect(scriptsWith({}, ['run', '-d', '--pid-file', 'pid', place.id])).toEqual([])
    expect(scriptsWith({}, ['exec', place.id, 'true'])).toEqual([])
    expect(scriptsWith({}, ['delete', '-f', place.id])).toEqual([])
    place.write({ ...place.configure('true'), hostname: 'a\0b' })
    expect(scriptsWith({}, ['run', place.id])).toEqual([])
    for (const words of [['list'], ['ps', place.id], ['features'], ['--version'], ['nonsense'], ['run', '--help']]) {
      expect(scriptsWith({}, words), words.join(' ')).toEqual([])
    }
    expect(scriptsWith({}, ['images', '--store', join(place.directory, 'store')])).toEqual(['boot.js'])
  })

  withInterpreter.test('none for a file that is large', () => {
    const config = JSON.stringify(place.configure('exit 3'))
    writeFileSync(join(place.bundle, 'config.json'), config.padEnd(15 << 20))
    expect(scriptsWith({}, ['run', place.id])).toEqual([])
  })
})

describe('an interpreter that fails is said, and Node.js does the call', () => {
  const byInterpreter = (script: string, ...args: readonly string[]) => {
    const path = join(place.directory, 'interpreter')
    writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 })
    return call(['env', `BUNDLE_TOOL_INTERPRETER=${path}`, front], args)
  }
  /** The script is the compiler, and the command line is that of the interpreter. */
  const onlyTheCompiler = (script: string): string =>
    `case $1 in */compiler.js) ${script};; esac; exec ${join(project, 'dist/bundle-tool-interpreter')} "$@"`
  const started = 'run is compiled again by all of the command line: internal error, please report it: the interpreter'

  test.each([
    ['kill -SEGV $$', 'was ended by SIGSEGV'],
    ['kill -KILL $$', 'was ended by SIGKILL'],
    ['exit 70', 'has ended with exit code 70'],
    ['exit 0', 'has ended with exit code 0'],
    ['echo half >&$BUNDLE_TOOL_HANDOVER; kill -ABRT $$', 'was ended by SIGABRT'],
  ])('%s', (script, end) => {
    place.configure('echo out; exit 3')
    const warning = ` level=warning msg="${started} ${end}"\n`
    expect(byInterpreter(script, 'run', 'demo')).toEqual({ end: 3, stdout: 'out\n', stderr: warning })
    const log = join(place.directory, 'log')
    expect(byInterpreter(script, '--log', log, 'run', '--no-cache', 'demo')).toMatchObject({ end: 3, stderr: '' })
    expect(readFileSync(log, 'utf8')).toContain(`${started} ${end}`)
    expect(place.leftovers()).toEqual([])
  })

  test('one that is not there', () => {
    place.configure('exit 3')
    const missing = ['env', 'BUNDLE_TOOL_INTERPRETER=/nonexistent', front]
    expect(call(missing, ['run', 'demo'])).toMatchObject({ end: 3, stderr: expect.stringContaining('exit code 1') })
  })

  test('a fault of the compiler is said with its stack', () => {
    const faulty = onlyTheCompiler(`FAULT=1 exec ${process.execPath} ${nodeCompiler} "$@"`)
    place.configure('echo out; exit 3', { linux: { seccomp: { defaultAction: 'SCMP_ACT_ALLOW' } } })
    const fault = /internal error, please report it: TypeError: a fault\\n {4}at .*node-compiler\.cjs/
    const { stderr, ...answer } = byInterpreter(faulty, 'run', 'demo')
    expect(answer).toEqual({ end: 3, stdout: 'out\n' })
    expect(stderr).toMatch(fault)
    expect(stderr).toMatch(/^ ?level=warning msg="[^"]*"\n$/)
    const log = join(place.directory, 'log')
    const logged = byInterpreter(faulty, '--log', log, 'run', '--no-cache', 'demo')
    expect(logged).toEqual({ end: 3, stdout: 'out\n', stderr: '' })
    expect(readFileSync(log, 'utf8')).toMatch(fault)
    expect(place.leftovers()).toEqual([])
  })

  test('where it says that there is no program, nothing is said', () => {
    place.configure('exit 3')
    expect(byInterpreter(onlyTheCompiler('exit 75'), 'run', 'demo')).toEqual({ end: 3, stdout: '', stderr: '' })
  })
})

test('what the command line says after the program has been handed over is said to its end', () => {
  place.configure('exit 3')
  const bin = join(place.directory, 'bin')
  mkdirSync(bin)
  const late = 'eval "exec $BUNDLE_TOOL_HANDOVER>&-"; wait $!; status=$?; sleep 0.3; echo late >&2; exit $status'
  writeFileSync(join(bin, 'node'), `#!/bin/sh\n${process.execPath} "$@" &\n${late}\n`, { mode: 0o755 })
  const { status, stderr } = spawnSync(front, ['--root', place.root, 'run', '--debug', place.id], {
    cwd: place.bundle,
    env: { PATH: `${bin}:/usr/bin:/bin`, ...withoutInterpreter },
    encoding: 'utf8',
  })
  expect(status).toBe(3)
  expect(stderr).toContain('child process in init(): all steps are done')
  expect(stderr).toMatch(/^late$/m)
})

test('a pid file is written where the call names it, also where a register has no room for the name', () => {
  place.configure('exec sleep 1000')
  const directory = join(place.directory, 'x'.repeat(250), 'y'.repeat(250), 'z'.repeat(250), 'w'.repeat(250))
  mkdirSync(directory, { recursive: true })
  for (const file of [join(place.directory, 'pid'), join(directory, 'pid')]) {
    for (const words of [['--no-cache'], [], []]) {
      const run = ['--root', place.root, 'run', '-d', '-b', place.bundle, ...words, '--pid-file', file, place.id]
      expect(spawnSync(front, run, { stdio: 'ignore' }).status).toBe(0)
      expect(JSON.parse(place.tool(['state', place.id]).stdout).pid).toBe(Number(readFileSync(file, 'utf8')))
      place.tool(['delete', '-f', place.id])
      rmSync(file)
    }
  }
})

test('a program that cannot be read is not run', () => {
  const bin = join(place.directory, 'bin')
  mkdirSync(bin)
  writeFileSync(join(bin, 'node'), '#!/bin/sh\necho nonsense that is no program >&$BUNDLE_TOOL_HANDOVER\n', {
    mode: 0o755,
  })
  const env = { PATH: bin, ...withoutInterpreter }
  const { status, stderr } = spawnSync(front, ['--root', place.root, 'run', 'demo'], { env, encoding: 'utf8' })
  expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining('the program cannot be read') })
  renameSync(join(bin, 'node'), join(bin, 'gone'))
  expect(spawnSync(front, ['run', 'demo'], { env }).status).toBe(1)
})
