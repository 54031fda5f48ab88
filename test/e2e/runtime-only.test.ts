import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect } from 'vitest'
import { ContainerPlace } from '../container.ts'
import { withoutInterpreter, withoutNode } from '../front/without-node.ts'
import { requires } from '../requirements.ts'

/** The two files of `npm run build:runtime` in a directory of their own, on a host without Node.js, do what the whole tool does. */
const { test } = requires('root', 'busybox', 'interpreter', 'ps')

const project = join(import.meta.dirname, '../..')
let installed: string
beforeAll(() => {
  execFileSync(process.execPath, ['scripts/runtime.mjs'], { cwd: project, stdio: 'pipe' })
  installed = mkdtempSync(join(tmpdir(), 'runtime-only-'))
  execFileSync('tar', [
    '-xzf',
    join(project, 'dist/bundle-tool-runtime.tar.gz'),
    '-C',
    installed,
    '--strip-components=1',
  ])
})
afterAll(() => rmSync(installed, { recursive: true }))

let place: ContainerPlace
beforeEach(() => {
  place = new ContainerPlace()
})
afterEach(() => place.close())

interface Answer {
  readonly end: number | string | null
  readonly stdout: string
  readonly stderr: string
}

/** A `node` that somebody starts nonetheless fails, and says so. */
function call(binary: string, env: Readonly<Record<string, string>>, args: readonly string[]): Answer {
  const [out, err] = ['out', 'err'].map((name) => join(place.directory, name)) as [string, string]
  const script = 'exec "$@" >"$OUT" 2>"$ERR"'
  const { status, signal } = spawnSync('/bin/sh', ['-c', script, 'sh', binary, '--root', place.root, ...args], {
    env: { ...env, OUT: out, ERR: err },
    cwd: place.bundle,
    input: '',
    timeout: 30_000,
  })
  const text = (file: string): string => readFileSync(file, 'utf8').replaceAll(/("time":|time=)"[^"]*"/g, '')
  return { end: signal ?? status, stdout: text(out), stderr: text(err) }
}
const alone = (...args: readonly string[]): Answer =>
  call(join(installed, 'bundle-tool'), { PATH: `${withoutNode}:/usr/bin:/bin` }, args)

test('there are two static files, a README and the licenses', () => {
  expect(readdirSync(installed).sort()).toEqual(['README', 'bundle-tool', 'bundle-tool-interpreter', 'licenses.txt'])
  for (const name of ['bundle-tool', 'bundle-tool-interpreter']) {
    const path = join(installed, name)
    expect(statSync(path).mode & 0o777, name).toBe(0o755)
    expect(execFileSync('readelf', ['-d', path], { encoding: 'utf8' }), name).not.toContain('NEEDED')
  }
  expect(readFileSync(join(installed, 'README'), 'utf8')).toContain('without Node.js')
  expect(readFileSync(join(installed, 'licenses.txt'), 'utf8')).toMatch(/quickjs/i)
})

test('a container from its creation to its end', () => {
  place.configure('sleep 1000')
  const id = place.id
  const done = { end: 0, stdout: '', stderr: '' }
  expect(alone('create', '--pid-file', 'pid', id)).toEqual(done)
  expect(alone('start', id)).toEqual(done)
  expect(alone('start', id)).toMatchObject({ end: 1, stderr: expect.stringContaining('already running container') })
  expect(JSON.parse(alone('state', id).stdout)).toMatchObject({ id, status: 'running' })
  expect(alone('list', '-q')).toEqual({ ...done, stdout: `${id}\n` })
  expect(JSON.parse(alone('list', '--format', 'json').stdout)).toMatchObject([{ id, status: 'running', owner: 'root' }])
  expect(alone('ps', id).stdout).toContain('sleep 1000')
  expect(JSON.parse(alone('ps', '--format', 'json', id).stdout)).toHaveLength(1)
  expect(alone('exec', id, 'sh', '-c', 'echo in; exit 7')).toEqual({ end: 7, stdout: 'in\n', stderr: '' })
  expect(alone('exec', '-d', id, 'true')).toEqual(done)
  expect(alone('update', '--pids-limit', '50', id)).toEqual(done)
  expect(alone('update', '-r', 'none', id)).toMatchObject({
    end: 1,
    stderr: expect.stringContaining('cannot be read: ENOENT'),
  })
  const stats = alone('events', '--stats', id)
  expect(JSON.parse(stats.stdout)).toMatchObject({ type: 'stats', id, data: { pids: { limit: 50 } } })
  expect(alone('stats', '--no-stream', id).stdout).toContain(id)
  expect(alone('pause', id)).toEqual(done)
  expect(JSON.parse(alone('state', id).stdout).status).toBe('paused')
  expect(alone('resume', id)).toEqual(done)
  expect(alone('kill', id, 'NOPE')).toMatchObject({ end: 1, stderr: expect.stringContaining('unknown signal') })
  expect(alone('stop', '-t', '1', id)).toMatchObject({ end: 0 })
  expect(alone('kill', id)).toMatchObject({ end: 1, stderr: expect.stringContaining('container not running') })
  expect(alone('delete', id)).toEqual(done)
  expect(alone('delete', id)).toMatchObject({ end: 1, stderr: expect.stringContaining('does not exist') })
  expect(alone('list')).toMatchObject({ end: 0, stdout: expect.stringMatching(/^ID +PID +STATUS/) })
})

describe('what needs a runner', () => {
  test('hooks after the start and after the end', () => {
    const hook = (name: string) => [{ path: '/bin/sh', args: ['sh', '-c', `cat > ${join(place.directory, name)}`] }]
    place.configure('sleep 1000', { config: { hooks: { poststart: hook('started'), poststop: hook('stopped') } } })
    expect(alone('create', place.id).end).toBe(0)
    expect(alone('start', place.id)).toEqual({ end: 0, stdout: '', stderr: '' })
    expect(JSON.parse(readFileSync(join(place.directory, 'started'), 'utf8'))).toMatchObject({ status: 'running' })
    expect(alone('delete', '-f', place.id)).toEqual({ end: 0, stdout: '', stderr: '' })
    expect(JSON.parse(readFileSync(join(place.directory, 'stopped'), 'utf8'))).toMatchObject({ status: 'stopped' })
  })

  test('wait, and a run in the place of a service of systemd', () => {
    place.configure('exit 3')
    const words = ['--root', place.root, 'run', place.id]
    const env = { PATH: withoutNode, LISTEN_FDS: '0' }
    const { status } = spawnSync(join(installed, 'bundle-tool'), words, { env, cwd: place.bundle })
    expect(status).toBe(3)
    place.configure('sleep 0.3; exit 4')
    expect(alone('run', '-d', place.id).end).toBe(0)
    const { end, stderr } = alone('wait', place.id)
    // Before Linux 6.15 nobody is told how it has ended.
    if (end !== 4) expect(stderr).toContain('nobody knows how')
    expect(alone('delete', '-f', place.id).end).toBe(0)
  })
})

test('what there is to be said is said in the words of the whole tool', () => {
  place.configure('true')
  const whole = (...args: readonly string[]): Answer =>
    call(
      join(project, 'dist/bundle-tool'),
      { PATH: `${dirname(process.execPath)}:/usr/bin:/bin`, ...withoutInterpreter },
      args,
    )
  for (const words of [
    ['--version'],
    ['--help'],
    ['help', 'run'],
    ['pull', '--help'],
    ['completion', 'bash'],
    ['man', 'run'],
    ['features'],
    ['spec', '-b', '/nonexistent'],
    ['run', '--nonsense', 'x'],
    ['--log-format', 'json', 'state', 'nobody'],
    ['explain', '--json'],
    ['nonsense'],
    ['config', '--show'],
  ]) {
    // A build that has nothing to do leaves the commit that it is called for beside the scripts.
    const plain = (answer: Answer): Answer => ({ ...answer, stdout: answer.stdout.replace(/^commit: .*$/m, '') })
    expect(plain(alone(...words)), words.join(' ')).toEqual(plain(whole(...words)))
  }
})

test('commands for images say what they need', () => {
  expect(alone('pull', 'alpine', '--out', 'x')).toEqual({
    end: 1,
    stdout: '',
    stderr:
      'error: "pull" is for images, and this is the runtime of bundle-tool alone\n' +
      '  hint: install the package of bundle-tool, with Node.js 20.19 or newer\n',
  })
  const { stderr } = alone('images', '--json')
  expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'ERR_NOT_SUPPORTED' } })
  expect(existsSync(join(place.bundle, 'x'))).toBe(false)
})

test('where the package is and Node.js is not, they say that', () => {
  const prefix = join(place.directory, 'package')
  mkdirSync(join(prefix, 'bin'), { recursive: true })
  for (const name of ['bundle-tool', 'bundle-tool-interpreter']) {
    execFileSync('cp', [join(project, 'dist', name), join(prefix, name)])
  }
  execFileSync('cp', [join(project, 'dist/bin/boot.js'), join(prefix, 'bin/boot.js')])
  const hide = 'for node in /usr/bin/node /usr/local/bin/node; do [ ! -e $node ] || mount --bind /dev/null $node; done'
  const run = (...words: readonly string[]) =>
    spawnSync(
      'unshare',
      ['-m', 'sh', '-c', `${hide}; PATH=/nonexistent exec "$@"`, 'sh', join(prefix, 'bundle-tool'), ...words],
      {
        encoding: 'utf8',
      },
    )
  expect(run('images').stderr).toMatch(
    /^error: "images" needs Node\.js, and node is not in PATH\n {2}hint: install Node\.js 20\.19/,
  )
  expect(run('list')).toMatchObject({ status: 0 })
})
