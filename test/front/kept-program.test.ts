import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { afterEach, beforeEach, expect } from 'vitest'
import { ContainerPlace } from '../container.ts'
import { requires } from '../requirements.ts'
import { nodeStarted, variablesFor, withoutNode } from './without-node.ts'

const { test } = requires('root', 'busybox', 'unshare', 'setpriv', 'setarch')

const project = join(import.meta.dirname, '../..')
const front = join(project, 'bin/bundle-tool')
const nodeDirectory = dirname(process.execPath)
const tools = '/usr/bin:/bin:/usr/sbin:/sbin'

let place: ContainerPlace
beforeEach(() => {
  place = new ContainerPlace()
  place.configure('exit 3')
})
afterEach(() => place.close())

interface Call {
  readonly tool?: string
  /** Words before the tool's own: a program that changes something and then runs it. */
  readonly before?: readonly string[]
  readonly args?: readonly string[]
  readonly cwd?: string
}

/** Runs the bundle by way of the front; without Node.js in PATH there is only a kept program to run. */
function call(path: string, { tool = front, before = [], args, cwd = place.directory }: Call = {}) {
  const words = [...before, tool, '--root', place.root, ...(args ?? ['run', '-b', place.bundle, place.id])]
  // To a file: what a container left running does not hold it open.
  const log = join(place.directory, 'stderr')
  const { status } = spawnSync('/bin/sh', ['-c', 'exec "$@" >/dev/null 2>"$LOG" </dev/null', 'sh', ...words], {
    cwd,
    env: { ...variablesFor(path), LOG: log },
    timeout: 20_000,
    killSignal: 'SIGKILL',
  })
  return { status, stderr: readFileSync(log, 'utf8') }
}

const cold = (options: Call = {}) => call(`${nodeDirectory}:${tools}`, options)
const warm = (options: Call = {}) => call(withoutNode, options)

const needsNode = { status: nodeStarted.status, stderr: expect.stringContaining(nodeStarted.said) }

const kept = (): readonly string[] =>
  readdirSync(place.root)
    .filter((name) => name.startsWith('.program-'))
    .map((name) => join(place.root, name))

test('the second run needs no Node.js', () => {
  expect(warm()).toEqual(needsNode)
  expect(cold()).toEqual({ status: 3, stderr: '' })
  expect(warm()).toEqual({ status: 3, stderr: '' })
  expect(warm({ args: ['run', place.bundle, place.id] })).toEqual({ status: 3, stderr: '' })
  expect(warm({ args: ['run', place.id], cwd: place.bundle })).toEqual({ status: 3, stderr: '' })
  expect(warm({ args: ['run', '--bundle', 'bundle', place.id] })).toEqual({ status: 3, stderr: '' })
  expect(place.leftovers()).toEqual([])
})

test('a program whose limits depend on the I/O schedulers of the moment is not kept; what Docker writes for none is', () => {
  const withBlockIO = (weight: number): readonly string[] => {
    place.configure('exit 3', { linux: { resources: { blockIO: { weight }, cpu: { shares: 0 } } } })
    cold()
    return kept()
  }
  expect(withBlockIO(0)).toHaveLength(1)
  expect(warm()).toEqual({ status: 3, stderr: '' })
  rmSync(kept()[0] ?? '')
  expect(withBlockIO(500)).toEqual([])
})

test.each([
  ['config', (bundle: string) => ['config', '-b', bundle, '--tty', '--', 'sh']],
  [
    'unpack',
    (bundle: string) => ['unpack', `rootfs:${place.directory}/rootfs.tar`, '--force', '--quiet', '--out', bundle],
  ],
])('after %s the first run needs no Node.js', (_, making) => {
  execFileSync('tar', ['-C', join(place.bundle, 'rootfs'), '-cf', join(place.directory, 'rootfs.tar'), '.'])
  expect(cold({ args: making(place.bundle) })).toEqual({ status: 0, stderr: '' })
  expect(kept()).toHaveLength(1)
  // Both config.json want a terminal.
  const words = ['--root', place.root, 'run', '-b', place.bundle, place.id]
  const command = `BUNDLE_TOOL_INTERPRETER= PATH=${withoutNode} ${[front, ...words].join(' ')}`
  const shell = spawnSync('script', ['-qec', command, '/dev/null'], {
    input: 'exit 5\n',
    encoding: 'utf8',
    timeout: 20_000,
  })
  expect(shell.status, shell.stdout).toBe(5)
})

test('a bundle that nothing can run is made all the same, and nothing is kept', () => {
  const file = join(place.directory, 'file')
  writeFileSync(file, '')
  const change = (root: string) => cold({ args: ['--root', root, 'config', '-b', place.bundle, '-e', 'A=b'] })
  rmSync(join(place.bundle, 'rootfs'), { recursive: true })
  expect(change(place.root)).toEqual({ status: 0, stderr: '' })
  expect(existsSync(place.root)).toBe(false)
  expect(change(join(file, 'root'))).toEqual({ status: 0, stderr: '' })
})

test('few are kept in a root, the newest', () => {
  cold()
  for (const path of kept()) utimesSync(path, 1, 1)
  for (let number = 0; number < 63; number++) writeFileSync(join(place.root, `.program-${number}`), '')
  place.configure('exit 4')
  expect(cold({ args: ['run', '--no-pivot', '-b', place.bundle, place.id] }).status).toBe(4)
  expect(kept()).toHaveLength(48)
  expect(warm({ args: ['run', '--no-pivot', '-b', place.bundle, place.id] }).status).toBe(4)
})

test('the filter of a profile is kept for all containers of the root, but for --no-cache', () => {
  const seccomp = {
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 1 }],
  } as const
  const filters = () => readdirSync(place.root).filter((name) => name.startsWith('.filter-'))
  const run = (mark: string, ...flags: readonly string[]) => {
    place.configure(`mkdir /dev/shm/${mark} || exit 7`, { linux: { seccomp } })
    return cold({ args: ['run', ...flags, '-b', place.bundle, place.id] })
  }
  cold() // makes the root
  expect(run('one', '--no-cache').status).toBe(7)
  expect(filters()).toEqual([])
  expect(run('two').status).toBe(7)
  expect(filters()).toHaveLength(1)
  const path = join(place.root, filters()[0] ?? '')
  // One instruction that allows all, in the place of the filter's, with its sum.
  const words = Uint32Array.of(0x0000_0006, 0x7fff_0000)
  const sum = words.reduce((all, word) => (Math.imul(all, 31) + word) | 0, words.byteLength)
  const [key, facts = ''] = readFileSync(path, 'utf8').split('\n')
  const head = `${key}\n${JSON.stringify({ ...JSON.parse(facts), sum })}\n`
  writeFileSync(path, Buffer.concat([Buffer.from(head), Buffer.from(words.buffer)]))
  expect(run('three').status).toBe(0)
  expect(run('four', '--no-cache').status).toBe(7)
  expect(filters()).toHaveLength(1)
})

test('what was kept for one mode, root or bundle is not used for another', () => {
  cold()
  for (const args of [
    ['create', '-b', place.bundle, place.id],
    ['run', '-d', '-b', place.bundle, place.id],
    ['run', '--no-new-keyring', '-b', place.bundle, place.id],
    ['run', '--pid-file', 'pid', '-b', place.bundle, place.id],
    ['run', '--preserve-fds=1', '-b', place.bundle, place.id],
    ['--systemd-cgroup', 'run', '-b', place.bundle, place.id],
    ['run', '--no-cache', '-b', place.bundle, place.id],
    ['--root', `${place.root}2`, 'run', '-b', place.bundle, place.id],
  ]) {
    expect(warm({ args }), args.join(' ')).toEqual(needsNode)
  }
})

test.each([
  [['run', '--pid-file'], true],
  [['create', '--no-pivot', '--pid-file'], true],
  [['create', '--no-new-keyring', '--pid-file'], true],
  [['run', '--no-subreaper', '--keep', '--pid-file'], true],
  [['run', '--pidfd-socket', 'socket', '--pid-file'], false],
])('%j: what engines ask for is kept with the program: %j', (words, isKept) => {
  const args = (name: string) => [...words, name, '-b', place.bundle, place.id]
  const log = ['--log', join(place.directory, 'log'), '--log-format', 'json']
  const status = words[0] === 'run' ? 3 : 0
  for (const name of ['first', 'second', join(place.directory, 'third')]) {
    const answer = name === 'first' ? cold({ args: args(name) }) : warm({ args: [...log, ...args(name)] })
    if (!isKept) expect(kept()).toEqual([])
    else {
      expect(answer).toEqual({ status, stderr: '' })
      expect(readFileSync(resolve(place.directory, name), 'utf8')).toMatch(/^\d+$/)
      expect(place.tool(['delete', '-f', place.id]).end).toBe(0)
    }
  }
  if (isKept) expect(cold({ args: args('/nonexistent/pid') }).stderr).toContain('/nonexistent/pid')
  expect(place.leftovers()).toEqual([])
})

test('--no-cache keeps nothing', () => {
  expect(cold({ args: ['run', '--no-cache', '-b', place.bundle, place.id] }).status).toBe(3)
  expect(kept()).toEqual([])
})

test('create is kept too, and fails in the same words', () => {
  const args = ['create', '-b', place.bundle, place.id]
  place.configure('sleep 1000')
  expect(cold({ args }).status).toBe(0)
  expect(place.tool(['delete', '-f', place.id]).end).toBe(0)
  expect(warm({ args }).status).toBe(0)
  const again = cold({ args })
  expect(again).toMatchObject({ status: 1, stderr: expect.stringContaining('container with given ID already exists') })
  expect(again.stderr.replace(/time="\S+"/, '')).toBe(
    place
      .tool(args)
      .stderr.replace(/time="\S+"/, '')
      .replace('.js', ''),
  )
})

test('a kept program that fails is explained, and undone', () => {
  cold()
  const command = join(place.bundle, 'rootfs/bin/sh')
  renameSync(command, `${command}.away`)
  const { status, stderr } = cold()
  expect(status).toBe(1)
  expect(stderr).toContain('exec: \\"sh\\": executable file not found in $PATH')
  expect(place.leftovers()).toEqual([])
})

/** Runs a script in a mount namespace of its own, and then the tool. */
const inMountNamespace = (script: string): readonly string[] => {
  const whole = `before=$PATH; PATH=${tools}; ${script} || exit 99; PATH=$before; exec "$@"`
  return ['/usr/bin/unshare', '--mount', '/bin/sh', '-c', whole, 'sh']
}

/** Each changes the file of a kept program, which must not be used then; guards.test.ts changes what it was compiled from. */
const changes: Readonly<Record<string, () => Call>> = {
  'whether others may write to the program': () => {
    for (const path of kept()) chmodSync(path, 0o622)
    return {}
  },
  'who made the program': () => {
    for (const path of kept()) execFileSync('chown', ['12345', path])
    return {}
  },
  'what is in the program': () => {
    for (const path of kept()) writeFileSync(path, readFileSync(path).subarray(0, -1))
    return {}
  },
}

for (const [name, change] of Object.entries(changes)) {
  test(`a kept program is not used when this has changed: ${name}`, () => {
    cold()
    expect(warm().status).toBe(3)
    expect(warm(change())).toEqual(needsNode)
  })
}

test('that helpers for ids are there concerns a container that has a user namespace', () => {
  const withoutHelpers = inMountNamespace('mount -t tmpfs x /usr/bin')
  cold()
  expect(warm({ before: withoutHelpers })).toEqual({ status: 3, stderr: '' })
  const map = [{ containerID: 0, hostID: 0, size: 1000 }]
  const namespaces = (['user', 'mount', 'uts', 'pid', 'ipc', 'network'] as const).map((type) => ({ type }))
  place.configure('exit 4', { linux: { namespaces, uidMappings: map, gidMappings: map } })
  expect(cold().stderr).toBe('')
  expect(warm()).toEqual({ status: 4, stderr: '' })
  // The shell of that node is hidden with the helpers.
  expect(warm({ before: withoutHelpers })).toEqual({
    status: 1,
    stderr: expect.stringContaining('node cannot be executed'),
  })
})

/** The tool installed in another place. */
function install(name: string): string {
  const copy = join(place.directory, name)
  mkdirSync(copy)
  cpSync(join(project, 'bin'), join(copy, 'bin'), { recursive: true })
  cpSync(join(project, 'dist'), join(copy, 'dist'), { recursive: true })
  cpSync(join(project, 'package.json'), join(copy, 'package.json'))
  return join(copy, 'dist/bundle-tool')
}

test('another installation, which may be of another version, keeps its own programs', () => {
  const tool = install('copy')
  cold()
  expect(warm({ tool })).toEqual(needsNode)
  cold({ tool })
  expect(warm({ tool }).status).toBe(3)
  expect(kept()).toHaveLength(2)
  expect(warm().status).toBe(3)
})

test('a kept program is not used when the tool has been built anew from other sources', () => {
  const tool = install('copy')
  cold({ tool })
  expect(warm({ tool }).status).toBe(3)
  const build = readFileSync(join(project, 'dist/.native'), 'latin1')
  const binary = readFileSync(tool, 'latin1')
  expect(binary.split(build)).toHaveLength(2)
  writeFileSync(
    `${tool}.new`,
    binary.replace(
      build,
      build.replace(/.$/, (last) => (last === '0' ? '1' : '0')),
    ),
    'latin1',
  )
  chmodSync(`${tool}.new`, 0o755)
  renameSync(`${tool}.new`, tool)
  expect(warm({ tool })).toEqual(needsNode)
})

test('a program whose head or first guards are damaged is never run', () => {
  cold()
  const [path = ''] = kept()
  const whole = readFileSync(path)
  for (let at = 0; at < 400; at += 3) {
    const damaged = Buffer.from(whole)
    damaged[at] = (damaged[at] ?? 0) ^ 0xff
    writeFileSync(path, damaged)
    const { status, stderr } = warm()
    // Nobody looks at what pads a text.
    if (whole[at] !== 0 || status !== 3) expect({ status, stderr }, `byte ${at}`).toEqual(needsNode)
  }
})
