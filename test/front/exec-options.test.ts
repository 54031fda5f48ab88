import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, vi } from 'vitest'
import type { Process } from '../../src/oci/runtime-config.ts'
import { ContainerPlace } from '../container.ts'
import { takeDescriptor } from '../descriptor-taker.ts'
import { requires } from '../requirements.ts'
import { nodeStarted, variablesFor, withoutNode } from './without-node.ts'

const { test } = requires('root', 'busybox', 'python3', 'mkfifo')

const front = join(import.meta.dirname, '../../bin/bundle-tool')
const withNode = `${dirname(process.execPath)}:/usr/bin:/bin`

let place: ContainerPlace
let ownProcess: Process
beforeEach(() => {
  place = new ContainerPlace()
  ownProcess = place.configure('sleep 1000').process as Process
  expect(place.tool(['run', '-d', '-b', place.bundle, place.id])).toMatchObject({ end: 0, stderr: '' })
})
afterEach(() => place.close())

function call(path: string, args: readonly string[], fds: readonly number[] = []) {
  const [out, err] = ['out', 'err'].map((name) => join(place.directory, name)) as [string, string]
  const outputs = [out, err].map((name) => openSync(name, 'w'))
  const { status } = spawnSync(front, ['--root', place.root, 'exec', ...args], {
    env: variablesFor(path),
    cwd: place.directory,
    stdio: ['ignore', ...outputs, ...fds],
    timeout: 20_000,
  })
  outputs.forEach(closeSync)
  const stderr = readFileSync(err, 'utf8').replace(/time="[^"]*" /g, '')
  return { status, stdout: readFileSync(out, 'utf8'), stderr }
}
const cold = (...args: readonly string[]) => call(withNode, args)
const warm = (...args: readonly string[]) => call(withoutNode, args)

const done = { status: 0, stdout: '', stderr: '' }
const needsNode = { status: nodeStarted.status, stdout: '', stderr: expect.stringContaining(nodeStarted.said) }
const kept = () => readdirSync(join(place.root, place.id)).filter((name) => name.startsWith('.program-'))

/** Writes a process as engines do, each to a file of its own. */
let count = 0
function describeProcess(change: Partial<Process>): string {
  const file = join(place.directory, `process-${count++}`)
  writeFileSync(file, JSON.stringify({ ...ownProcess, ...change }))
  return file
}

const say = (text: string): Partial<Process> => ({ args: ['sh', '-c', `echo ${text} "$X"; exit 3`] })

describe('a file with the whole process', () => {
  test('is as good as another that says the same', () => {
    const shown = { status: 3, stdout: 'one \n', stderr: '' }
    expect(warm('--process', describeProcess(say('one')), place.id)).toEqual(needsNode)
    expect(cold('--process', describeProcess(say('one')), place.id)).toEqual(shown)
    expect(warm('--process', describeProcess(say('one')), place.id)).toEqual(shown)
    expect(warm(`-p`, describeProcess(say('one')), place.id)).toEqual(shown)
    expect(warm('--process', describeProcess(say('two')), place.id)).toEqual({ ...shown, stdout: 'two \n' })
    expect(warm('--process', describeProcess({ ...say('one'), env: ['X=y'] }), place.id)).toEqual(needsNode)
    expect(warm('--process', describeProcess(say('one')), place.id, 'true')).toEqual(needsNode)
    expect(warm(place.id, 'true')).toEqual(needsNode)
  })

  test('is asked for as engines do: the pid file is another each time', async () => {
    const log = join(place.directory, 'log.json')
    const args = (pidFile: string) => {
      const file = describeProcess({ args: ['sleep', '77'] })
      return ['--process', file, '--detach', '--pid-file', pidFile, place.id]
    }
    const end = async (pidFile: string) => {
      const pid = Number(readFileSync(pidFile, 'utf8'))
      await vi.waitFor(() => expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).toBe('sleep\u000077\u0000'))
      process.kill(pid, 'SIGKILL')
    }
    expect(cold(...args('first.pid'))).toEqual(done)
    await end(join(place.directory, 'first.pid'))
    expect(warm(...args('second.pid'))).toEqual(done)
    await end(join(place.directory, 'second.pid'))
    const absolute = join(place.directory, 'third.pid')
    const words = ['--root', place.root, '--log', log, '--log-format', 'json', '--systemd-cgroup', 'exec']
    expect(spawnSync(front, [...words, ...args(absolute)], { env: {}, stdio: 'ignore' }).status).toBe(0)
    await end(absolute)
    expect(readFileSync(log, 'utf8')).toBe('')
    expect(readdirSync(place.directory).filter((name) => name.includes('.pid'))).toHaveLength(3)
  })

  test('and a pid file that cannot be written: said in the same words, with its name', () => {
    const args = () => ['--process', describeProcess({ args: ['true'] }), '-d', '--pid-file']
    expect(cold(...args(), 'pid', place.id)).toEqual(done)
    const missing = join(place.directory, 'missing/pid')
    const answer = cold(...args(), missing, place.id)
    expect(answer).toMatchObject({ status: 255, stderr: expect.stringContaining(missing) })
    expect(warm(...args(), missing, place.id)).toEqual(needsNode)
    const { end, stdout, stderr } = place.tool(['exec', ...args(), missing, place.id])
    expect(answer).toEqual({ status: end, stdout, stderr: stderr.replace(/time="[^"]*" /g, '') })
    expect(warm(...args(), `${'long/'.repeat(300)}pid`, place.id)).toEqual(needsNode)
  })

  test('runs any command that is written in ASCII, as engines escape it', () => {
    const show = ['sh', '-c', 'for word; do printf "%s|" "$word"; done', 'sh']
    const file = (text: string) => {
      const path = describeProcess({ args: ['COMMAND'] })
      writeFileSync(path, readFileSync(path, 'utf8').replace('"COMMAND"', text))
      return path
    }
    expect(cold('--process', describeProcess({ args: ['true'] }), place.id)).toEqual(done)
    const words = [...show, 'a "b" \\ c/d', '\n\t', '', ' ~!#$%&()*,-.:;<=>?@[]^_`{|}', '\x01\x7f']
    const shown = { status: 0, stdout: `${words.slice(4).join('|')}|`, stderr: '' }
    const texts = words.map((word) => JSON.stringify(word)).join(',')
    expect(warm('--process', file(texts), place.id)).toEqual(needsNode) // U+007F is written as it is
    const escaped = texts.replace('\x7f', '\\u007f').replace('&', '\\u0026').replace('>', '\\u003E')
    expect(warm('--process', file(escaped.replace('/d', '\\/d')), place.id)).toEqual(shown)
    for (const text of [
      '"true","é"',
      '"true","\\u00e9"',
      '"true","\\u0000"',
      '"true","\\u01"',
      '"true","\\b"',
      '"true", "x"',
      '"true",',
      '"true"x',
      '"true","',
      '"true","\\',
      '"true",7',
      '""',
      '',
      Array(5000).fill('"true"').join(','),
    ]) {
      expect(warm('--process', file(text), place.id), text.slice(0, 40)).toEqual(needsNode)
    }
    const twice = file('"true"],"args":["false"')
    expect(cold('--process', twice, place.id).status).toBe(1)
    expect(warm('--process', twice, place.id)).toEqual(needsNode)
  })

  test('is left to Node.js when it can be read only once, is no text, or is not there', () => {
    const file = describeProcess({ args: ['true'] })
    expect(cold('--process', file, place.id)).toEqual(done)
    const fifo = join(place.directory, 'fifo')
    expect(spawnSync('mkfifo', [fifo]).status).toBe(0)
    const writer = spawn('/bin/sh', ['-c', `exec cat '${file}' > '${fifo}'`], { stdio: 'ignore' })
    expect(cold('--process', fifo, place.id)).toEqual(done)
    writer.kill()
    expect(warm('--process', fifo, place.id)).toEqual(needsNode)
    expect(warm('--process', `${file}x`, place.id)).toEqual(needsNode)
    writeFileSync(file, `${readFileSync(file)}\0`)
    expect(warm('--process', file, place.id)).toEqual(needsNode)
    const large = (size: number) => describeProcess({ args: ['true', 'x'.repeat(size)] })
    expect(warm('--process', large(60_000), place.id)).toEqual(done)
    expect(warm('--process', large(70_000), place.id)).toEqual(needsNode)
  })

  test('few are kept for a container, the newest', () => {
    const run = (path: string, value: string) =>
      call(path, ['--process', describeProcess({ args: ['/bin/true'], env: [`A=${value}`] }), place.id])
    expect(run(withNode, 'old')).toEqual(done)
    const directory = join(place.root, place.id)
    for (const name of kept()) utimesSync(join(directory, name), 1, 1)
    for (let number = 0; number < 40; number++) writeFileSync(join(directory, `.program-${number}`), '')
    expect(run(withNode, 'new')).toEqual(done)
    expect(kept()).toHaveLength(24)
    expect(run(withoutNode, 'new')).toEqual(done)
    expect(run(withoutNode, 'old')).toEqual(needsNode)
  })
})

test('a console socket is another each time, and gets the terminal', async () => {
  const args = (socket: string) => {
    const file = describeProcess({ args: ['sh', '-c', 'tty; sleep 1'], terminal: true })
    return ['--pid-file', 'pid', '--process', file, '-d', '--console-socket', socket, place.id]
  }
  for (const run of [cold, warm]) {
    const socket = join(place.directory, `console-${run === cold}`)
    const { child, said } = await takeDescriptor(socket, 'os.isatty(fds[0]), os.read(fds[0], 100).decode().strip()')
    expect(run(...args(socket))).toEqual(done)
    await once(child, 'close')
    expect(said()).toMatch(/^listening\nTrue \/dev\/pts\/\d+\n$/)
  }
  expect(cold(...args('/nonexistent/socket'))).toMatchObject({
    status: 255,
    stderr: expect.stringContaining('/nonexistent/socket'),
  })
})

test.each([
  [['--user', '1000:7'], ['--user', '1000:8'], 'id -u; id -g', '1000\n7\n'],
  [['-u', '5'], ['-u', '6'], 'id -u', '5\n'],
  [['--cwd=/bin'], ['--cwd=/dev'], 'pwd', '/bin\n'],
  [['-e', 'A=b'], ['-e', 'A=c'], 'echo $A', 'b\n'],
  [['--cap', 'CAP_SYS_TIME'], ['--cap', 'CAP_SYS_NICE'], 'grep -c CapEff /proc/self/status', '1\n'],
  [['--no-new-privs'], ['--no-subreaper'], 'grep NoNewPrivs /proc/self/status', 'NoNewPrivs:\t1\n'],
  [['--additional-gids', '9'], ['--additional-gids', '10'], 'id -G', '0 9\n'],
])('what is asked for with %j is kept for it, and not for %j', (options, others, script, stdout) => {
  expect(cold(place.id, 'true')).toEqual(done)
  expect(warm(...options, place.id, 'sh', '-c', script)).toEqual(needsNode)
  expect(cold(...options, place.id, 'true')).toEqual(done)
  expect(warm(...options, place.id, 'sh', '-c', script)).toEqual({ status: 0, stdout, stderr: '' })
  expect(warm(...others, place.id, 'true')).toEqual(needsNode)
  expect(warm(...options, ...others, place.id, 'true')).toEqual(needsNode)
})

test.each([
  ['an option that is given twice', ['-e', 'A=b', '-e', 'C=d']],
  ['a value of two lines', ['-e', 'A=b\n--tty']],
  ['--ignore-paused', ['--ignore-paused']],
  ['a cgroup', ['--cgroup', '/']],
])('%s is left to Node.js', (_, options) => {
  expect(cold('-e', 'C=d', place.id, 'true')).toEqual(done)
  expect(cold('-e', 'A=b', '--tty', place.id, 'true').status).toBe(255) // kept, and there is no terminal
  const before = kept()
  expect(cold(...options, place.id, 'true').status).toBe(0)
  expect(kept()).toEqual(before)
  expect(warm(...options, place.id, 'true')).toEqual(needsNode)
})

test('descriptors are handed on, as many as there are', () => {
  const file = join(place.directory, 'handed')
  writeFileSync(file, 'content\n')
  const fd = openSync(file, 'r')
  const args = ['--preserve-fds', '1', place.id, 'sh', '-c', 'cat <&3; ls /proc/self/fd']
  const shown = { status: 0, stdout: 'content\n0\n1\n2\n3\n4\n', stderr: '' }
  expect(call(withNode, args, [fd])).toEqual(shown)
  const again = openSync(file, 'r')
  expect(call(withoutNode, args, [again])).toEqual(shown)
  for (const open of [fd, again]) closeSync(open)
  expect(warm(...args)).toEqual(needsNode)
  expect(warm('--preserve-fds', '1x', place.id, 'true')).toEqual(needsNode)
  expect(cold(...args).stderr).toContain('descriptor 3 is not open')
  expect(existsSync(file)).toBe(true)
})

test('a warning is in the log, once, also when the command cannot be executed, and not in the streams of the command', () => {
  const log = join(place.directory, 'log')
  const flags = ['--cap', 'NONSENSE', '--cap', 'FOLLY', place.id]
  const warning = 'level=warning msg="ignoring unknown or unavailable capabilities: [FOLLY NONSENSE]"'
  const warnings = () =>
    readFileSync(log, 'utf8')
      .split('\n')
      .filter((line) => line.includes('level=warning'))
  place.comparesErrors = false
  for (const [command, status] of [
    ['true', 0],
    ['no-such-command', 255],
  ] as const) {
    const { status: end, stderr } = cold(...flags, command)
    expect({ status: end, stderr }).toEqual({
      status,
      stderr: status === 0 ? '' : expect.stringMatching(/^.*not found.*\n$/),
    })
    writeFileSync(log, '')
    const logged = spawnSync(front, ['--log', log, '--root', place.root, 'exec', ...flags, command])
    expect(logged.status).toBe(status)
    expect(warnings()).toEqual([expect.stringContaining(warning)])
    writeFileSync(log, '')
    expect(place.tool(['--log', log, 'exec', ...flags, command]).end).toBe(status)
    expect(warnings()).toEqual([expect.stringContaining(warning)])
  }
})
