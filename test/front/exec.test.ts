import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, vi } from 'vitest'
import { ContainerPlace } from '../container.ts'
import { requires } from '../requirements.ts'
import { nodeStarted, variablesFor, withoutNode } from './without-node.ts'

const { test } = requires('root', 'busybox', 'setpriv', 'setarch', 'unshare')

const front = join(import.meta.dirname, '../../bin/bundle-tool')
const tools = '/usr/bin:/bin:/usr/sbin:/sbin'

let place: ContainerPlace
beforeEach(() => {
  place = new ContainerPlace()
  place.configure('sleep 1000')
  expect(place.tool(['run', '-d', '-b', place.bundle, place.id])).toMatchObject({ end: 0, stderr: '' })
})
afterEach(() => place.close())

/** Calls the front; `before` are words before the tool's own: a program that changes something and then runs it. */
function call(path: string, args: readonly string[], before: readonly string[] = []) {
  const [out, err] = ['out', 'err'].map((name) => join(place.directory, name)) as [string, string]
  const words = [...before, front, '--root', place.root, ...args]
  const { status } = spawnSync('/bin/sh', ['-c', 'exec "$@" >"$OUT" 2>"$ERR" </dev/null', 'sh', ...words], {
    env: { ...variablesFor(path), OUT: out, ERR: err },
    cwd: place.directory,
    timeout: 20_000,
  })
  const stderr = readFileSync(err, 'utf8').replace(/time="[^"]*" /g, '')
  return { status, stdout: readFileSync(out, 'utf8'), stderr }
}
const cold = (...args: readonly string[]) => call(`${dirname(process.execPath)}:${tools}`, args)
const warm = (...args: readonly string[]) => call(withoutNode, args)

const done = { status: 0, stdout: '', stderr: '' }
const needsNode = { status: nodeStarted.status, stdout: '', stderr: expect.stringContaining(nodeStarted.said) }

const kept = (): readonly string[] =>
  readdirSync(join(place.root, place.id))
    .filter((name) => name.startsWith('.program-'))
    .map((name) => join(place.root, place.id, name))

test('after the first exec every command is executed without Node.js', () => {
  expect(warm('exec', place.id, 'true')).toEqual(needsNode)
  expect(cold('exec', place.id, 'true')).toEqual(done)
  expect(warm('exec', place.id, 'true')).toEqual(done)
  const script = 'echo "$@"; echo err >&2; pwd; exit 7'
  expect(warm('exec', place.id, 'sh', '-c', script, 'sh', 'a b', '', '--c')).toEqual({
    status: 7,
    stdout: 'a b  --c\n/\n',
    stderr: 'err\n',
  })
  expect(warm('exec', place.id, '/bin/sh', '-c', 'kill -9 $$').status).toBe(137)
  const many = Array.from({ length: 6000 }, (_, index) => String(index))
  expect(warm('exec', place.id, 'sh', '-c', 'echo $#', ...many).stdout).toBe('5999\n')
})

test('what a process gets is the same with Node.js and without', () => {
  const status = 'grep "^[UG]id\\|Groups\\|Cap\\|Sig[PBIC]\\|NoNew\\|Seccomp\\|Umask" /proc/self/status'
  const show = ['sh', '-c', `env; id; umask; ulimit -a; ${status}; cat /proc/self/cgroup; echo /proc/$$/fd/?`]
  const withoutPid = (text: string) => text.replace(/\/proc\/\d+/g, '')
  cold('exec', place.id, 'true')
  const { stdout } = place.tool(['exec', place.id, ...show])
  expect(stdout).toContain('CapEff')
  expect(withoutPid(warm('exec', place.id, ...show).stdout)).toBe(withoutPid(stdout))
})

test('exec --detach returns while the command runs', async () => {
  const args = ['exec', '-d', place.id, 'sh', '-c', 'sleep 0.2; echo > /dev/shm/here; sleep 1000']
  expect(cold(...args)).toEqual(done)
  expect(warm('exec', place.id, 'true')).toEqual(needsNode)
  expect(warm(...args)).toEqual(done)
  cold('exec', place.id, 'true')
  await vi.waitFor(() => expect(warm('exec', place.id, 'test', '-e', '/dev/shm/here')).toEqual(done), 5000)
})

test('what fails is said in the same words', () => {
  cold('exec', place.id, 'true')
  for (const words of [['nonsense'], ['/etc'], ['/bin/nothing', 'x'], ['']]) {
    const answer = cold('exec', place.id, ...words)
    expect(answer.status).toBe(255)
    expect(warm('exec', place.id, ...words)).toEqual(needsNode)
    const { end, stdout, stderr } = place.tool(['exec', place.id, ...words])
    expect(answer).toEqual({ status: end, stdout, stderr: stderr.replace(/time="[^"]*" /g, '') })
  }
})

test('the log is made, with nothing in it', () => {
  cold('exec', place.id, 'true')
  const log = join(place.directory, 'log')
  expect(warm('--log', log, '--log-format', 'json', 'exec', place.id, 'true')).toEqual(done)
  expect(readFileSync(log, 'utf8')).toBe('')
  expect(warm('--log-format', 'xml', 'exec', place.id, 'true')).toEqual(needsNode)
})

describe('to Node.js goes', () => {
  test('a paused container, and one that is stopped', async () => {
    cold('exec', place.id, 'true')
    expect(place.tool(['pause', place.id]).end).toBe(0)
    expect(warm('exec', place.id, 'true')).toEqual(needsNode)
    expect(cold('exec', place.id, 'true').stderr).toContain('cannot exec in a paused container')
    expect(place.tool(['resume', place.id]).end).toBe(0)
    expect(warm('exec', place.id, 'true')).toEqual(done)
    warm('kill', place.id, 'KILL')
    await vi.waitFor(() => expect(warm('state', place.id).stdout).toContain('stopped'), 5000)
    expect(cold('exec', place.id, 'true')).toMatchObject({
      status: 255,
      stderr: expect.stringContaining('cannot exec in a stopped container'),
    })
  })

  test('a container that was made anew', () => {
    cold('exec', place.id, 'true')
    expect(warm('delete', '-f', place.id)).toEqual(done)
    expect(existsSync(join(place.root, place.id))).toBe(false)
    place.configure('sleep 2000')
    place.tool(['run', '-d', '-b', place.bundle, place.id])
    expect(warm('exec', place.id, 'true')).toEqual(needsNode)
  })
})

/** Each changes one thing that the program was compiled from. */
const changes: Readonly<Record<string, () => readonly string[]>> = {
  'what config.json says': () => {
    place.configure('sleep 1000', { process: { cwd: '/bin' } })
    return []
  },
  'the state': () => {
    const path = join(place.root, place.id, 'state.json')
    writeFileSync(path, readFileSync(path, 'utf8').replace('"created":"2', '"created":"1'))
    return []
  },
  'the capabilities of the caller': () => ['/usr/bin/setpriv', '--bounding-set=-audit_write'],
  'the group of the caller': () => ['/usr/bin/setpriv', '--regid=12345', '--clear-groups'],
  'the kernel': () => ['/usr/bin/setarch', '--uname-2.6'],
  'the user namespace': () => ['/usr/bin/unshare', '--user', '--map-root-user'],
  'whether others may write to the program': () => {
    for (const path of kept()) chmodSync(path, 0o622)
    return []
  },
  'who made the program': () => {
    for (const path of kept()) chownSync(path, 12345, 12345)
    return []
  },
  'what the program is for': () => {
    for (const path of kept()) {
      const other = readFileSync(path, 'latin1').replace('exec\n', 'exeC\n')
      writeFileSync(path, other, 'latin1')
    }
    return []
  },
  'the end of the program': () => {
    for (const path of kept()) writeFileSync(path, readFileSync(path).subarray(0, -1))
    return []
  },
}

for (const [name, change] of Object.entries(changes)) {
  test(`a kept program is not used when this has changed: ${name}`, () => {
    const file = join(place.directory, 'process.json')
    const { process } = JSON.parse(readFileSync(join(place.bundle, 'config.json'), 'utf8'))
    writeFileSync(file, JSON.stringify({ ...process, args: ['true'] }))
    const calls = [
      ['exec', place.id, 'true'],
      ['exec', '--process', file, '--pid-file', 'pid', place.id],
    ]
    for (const args of calls) {
      cold(...args)
      expect(warm(...args)).toEqual(done)
    }
    const before = change()
    for (const args of calls) expect(call(withoutNode, args, before)).toEqual(needsNode)
  })
}
