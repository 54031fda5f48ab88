import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, vi } from 'vitest'
import { requires } from '../requirements.ts'

const { test } = requires('root')
const project = join(import.meta.dirname, '../..')
let place = ''
let bundle = ''
let root = ''

const call = (...args: readonly string[]) => {
  const command = [join(project, 'bin/bundle-tool.js'), '--root', root, ...args]
  const { status, stdout, stderr } = spawnSync('node', command, { encoding: 'utf8', timeout: 30_000, cwd: place })
  return { status, stdout, stderr }
}
/** For containers that go on: they keep the streams, and a pipe would be waited for. */
const callDetached = (...args: readonly string[]) =>
  spawnSync('node', [join(project, 'bin/bundle-tool.js'), '--root', root, ...args], { stdio: 'ignore' }).status
const done = { status: 0, stdout: '', stderr: '' }

/** Makes the bundle run this, without a terminal. */
function setProcess(members: object): void {
  const path = join(bundle, 'config.json')
  const config = JSON.parse(readFileSync(path, 'utf8'))
  Object.assign(config.process, { terminal: false }, members)
  writeFileSync(path, JSON.stringify(config))
}

beforeAll(() => {
  place = mkdtempSync(join(tmpdir(), 'lifecycle-'))
  bundle = join(place, 'bundle')
  root = join(place, 'root')
  expect(call('unpack', '--quiet', join(project, 'fixtures/busybox.tar'), '--out', bundle)).toEqual(done)
})
afterEach(() => {
  call('delete', '-f', 'lifecycle')
})
afterAll(() => rmSync(place, { recursive: true }))

test('run passes on output and exit code, with the bundle as flag and as word', () => {
  setProcess({ args: ['sh', '-c', 'echo out; echo err >&2; exit 7'] })
  const expected = { status: 7, stdout: 'out\n', stderr: 'err\n' }
  expect(call('run', '-b', bundle, 'lifecycle')).toEqual(expected)
  expect(call('run', bundle, 'lifecycle')).toEqual(expected)
  expect(call('list', '-q')).toEqual(done)
})

test('run without a bundle takes the current directory', () => {
  setProcess({ args: ['true'] })
  const tool = join(project, 'bin/bundle-tool.js')
  expect(spawnSync('node', [tool, '--root', root, 'run', 'lifecycle'], { cwd: bundle }).status).toBe(0)
})

test('a signal that ends the process is 128 and its number', async () => {
  setProcess({ args: ['sleep', '100'] })
  const child = spawn('node', [join(project, 'bin/bundle-tool.js'), '--root', root, 'run', bundle, 'lifecycle'], {
    stdio: 'ignore',
  })
  const exited = new Promise((resolve) => child.on('exit', resolve))
  await vi.waitFor(() => expect(call('kill', 'lifecycle', '9')).toEqual(done), { timeout: 20_000, interval: 50 })
  expect(await exited).toBe(137)
})

test('create, state, start, exec, kill, delete: the life of a container', async () => {
  setProcess({ args: ['sleep', '100'] })
  const pidFile = join(place, 'pid')
  expect(callDetached('create', '--bundle', bundle, '--pid-file', pidFile, 'lifecycle')).toBe(0)
  const created = JSON.parse(call('state', 'lifecycle').stdout)
  expect(created).toMatchObject({
    id: 'lifecycle',
    status: 'created',
    bundle,
    pid: Number(readFileSync(pidFile, 'utf8')),
  })
  expect(call('start', 'lifecycle')).toEqual(done)
  expect(JSON.parse(call('state', 'lifecycle').stdout).status).toBe('running')

  const [row] = JSON.parse(call('list', '--format', 'json').stdout)
  expect(Object.keys(row).slice(0, 7)).toEqual(['ociVersion', 'id', 'pid', 'status', 'bundle', 'rootfs', 'created'])
  expect(call('list').stdout.split('\n')[1]).toMatch(/^lifecycle +\d+ +running +\S+ +\S+ +root$/)

  expect(call('exec', '-e', 'A=b', 'lifecycle', 'sh', '-c', 'echo $A; exit 3', '-x')).toEqual({
    status: 3,
    stdout: 'b\n',
    stderr: '',
  })
  const failed = call('exec', 'lifecycle', 'nothing')
  expect(failed.status).toBe(255)
  expect(failed.stderr).toContain('"exec failed: unable to start container process: exec: \\"nothing\\": executable')

  expect(call('delete', 'lifecycle').status).toBe(1)
  expect(call('kill', 'lifecycle', 'KILL')).toEqual(done)
  expect(call('delete', '--force', 'lifecycle')).toEqual(done)
  expect(call('state', 'lifecycle')).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('container does not exist'),
  })
  expect(existsSync(join(root, 'lifecycle'))).toBe(false)
})

test('an ID that is taken, and a command that is not there, are said so and leave nothing', () => {
  setProcess({ args: ['sleep', '100'] })
  expect(callDetached('run', '-d', bundle, 'lifecycle')).toBe(0)
  expect(call('run', bundle, 'lifecycle').stderr).toContain('container with given ID already exists')
  expect(JSON.parse(call('state', 'lifecycle').stdout).status).toBe('running')
  expect(call('delete', '-f', 'lifecycle')).toEqual(done)

  setProcess({ args: ['nothing'] })
  const { status, stderr } = call('run', bundle, 'lifecycle')
  expect(status).toBe(1)
  expect(stderr).toMatch(/^time="[^"]+" level=error msg=".*executable file not found in \$PATH.*"\n$/)
  expect(call('list', '-q')).toEqual(done)
})

test('a root that is no directory is named', () => {
  setProcess({ args: ['true'] })
  const file = join(place, 'file')
  writeFileSync(file, '')
  expect(call('--root', file, 'run', bundle, 'lifecycle')).toMatchObject({
    status: 1,
    stderr: expect.stringContaining(`for the state of containers: it is not a directory`),
  })
})

test('SIGTERM to run is passed on to the container', async () => {
  setProcess({ args: ['sh', '-c', 'trap "echo got; exit 5" TERM; echo ready; while :; do sleep 1; done'] })
  const child = spawn('node', [join(project, 'bin/bundle-tool.js'), '--root', root, 'run', bundle, 'lifecycle'])
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    if (output === '' && text.includes('ready')) child.kill('SIGTERM')
    output += text
  })
  const status = await new Promise((resolve) => child.on('close', resolve))
  expect({ output, status }).toEqual({ output: 'ready\ngot\n', status: 5 })
})

test('spec replaces the config.json of unpack, and both are run', () => {
  expect(call('spec', '-b', bundle)).toEqual(done)
  setProcess({ args: ['hostname'] })
  expect(call('run', bundle, 'lifecycle')).toEqual({ status: 0, stdout: 'runc\n', stderr: '' })
})

test('explain prints the program that run executes', () => {
  const { status, stdout } = call('explain', '-b', bundle)
  expect(status).toBe(0)
  expect(stdout).toMatch(/\bclone\b[\s\S]*\bexecve?\b/)
  const steps = JSON.parse(call('explain', '--json', bundle).stdout)
  expect(steps).toHaveLength(stdout.trimEnd().split('\n').length - 1)
})
