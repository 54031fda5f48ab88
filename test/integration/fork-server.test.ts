import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, vi } from 'vitest'
import { buildTool } from '../c-tool.ts'
import { ContainerPlace } from '../container.ts'
import { requires } from '../requirements.ts'

const { test } = requires('root', 'busybox', 'gcc')
const distribution = join(import.meta.dirname, '../../dist')

const without = buildTool(join(import.meta.dirname, '../kernels/without.c'))
let place: ContainerPlace
beforeEach(() => {
  place = new ContainerPlace()
})
afterEach(() => place.close())

/**
 * A program that uses the library: `once` runs the bundle, whose program is kept, `server` is the ID of the process that starts
 * containers, and what it says with `say` is the result.
 */
function runProgram(body: string, ...under: readonly string[]): unknown[] {
  const [command = '', ...args] = [...under, process.execPath, '--input-type=module', '-e', programOf(body)]
  const { stdout, stderr } = spawnSync(command, args, {
    encoding: 'utf8',
    cwd: place.directory,
    timeout: 60_000,
  })
  expect(stderr).toBe('')
  return stdout.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]))
}

const programOf = (body: string) => `
  import { closeSync, openSync, readFileSync, readlinkSync, writeFileSync, writeSync } from 'node:fs'
  import { PassThrough } from 'node:stream'
  import { text } from 'node:stream/consumers'
  import { setTimeout as sleep } from 'node:timers/promises'
  import { run } from ${JSON.stringify(join(distribution, 'bin/index.mjs'))}
  const base = ${JSON.stringify({ bundle: place.bundle, root: place.root })}
  let count = 0
  const once = (options) => run({ ...base, id: ${JSON.stringify(place.id)} + '-' + count++, ...options })
  const servers = () => readFileSync('/proc/self/task/' + process.pid + '/children', 'utf8').trim().split(' ').filter(Boolean)
  const say = (value) => writeSync(1, JSON.stringify(value) + '\\n')
  const streamed = async (options) => {
    const stdout = new PassThrough()
    const [code, output] = await Promise.all([once({ stdio: { stdin: 'ignore', stdout }, ...options }).finally(() => stdout.end()), text(stdout)])
    return [code, output]
  }
  await once({ stdio: { stdin: 'ignore', stdout: 'ignore', stderr: 'ignore' } })
  ${body}`

/** A bundle with a hook, which is run as the tool's own child, that adds a line to a file. */
function configureHook(script: string): void {
  const shell = ['sh', '-c', `{ ${script}; } >> ${place.directory}/hook`]
  place.configure('exit 0', { config: { hooks: { createRuntime: [{ path: '/bin/sh', args: shell }] } } })
}

test('one process starts all containers, and ends with the program', async () => {
  place.configure('exit 4')
  const [codes, before, after, executed] = runProgram(`
    say([await once(), await once(), await once()])
    say(servers())
    await Promise.all([once(), once()])
    say(servers())
    say(readlinkSync('/proc/' + servers()[0] + '/exe'))`)
  expect(codes).toEqual([4, 4, 4])
  expect(before).toHaveLength(1)
  expect(after).toEqual(before)
  expect(executed).toContain('memfd:') // a container could write to the tool's own file by it
  await vi.waitFor(() => expect(existsSync(`/proc/${(before as string[])[0]}/exe`)).toBe(false))
  expect(place.leftovers()).toEqual([])
})

test('what has changed since the last container is as it is for this one, still from one process', () => {
  configureHook('echo "_$VALUE $(umask) $(ulimit -n) $(nice)"')
  const [counts] = runProgram(`
    import { execFileSync } from 'node:child_process'
    import { setPriority } from 'node:os'
    const counts = []
    for (const change of [
      () => undefined,
      () => (process.env.VALUE = 'set'),
      () => process.umask(0o27),
      () => execFileSync('prlimit', ['--nofile=500:', '--pid', String(process.pid)]),
      () => setPriority(5),
      () => undefined,
    ]) {
      change()
      await once()
      await sleep(50)
      counts.push(servers().length)
    }
    say(counts)`)
  const lines = readFileSync(join(place.directory, 'hook'), 'utf8').trim().split('\n').slice(1)
  const columns = [0, 1, 2, 3].map((column) => lines.map((line) => line.split(' ')[column]))
  const same = (value: string, count: number): string[] => Array(count).fill(value)
  expect(columns[0]).toEqual(['_', ...same('_set', 5)])
  expect(columns[1]).toEqual([...same('0022', 2), ...same('0027', 4)])
  expect(columns[2]?.slice(3)).toEqual(same('500', 3))
  expect(columns[3]).toEqual([...same('0', 4), '5', '5'])
  expect(counts).toEqual(Array(6).fill(1))
})

test('descriptors 0 to 2 are those that the program has when it calls', () => {
  place.configure('echo output')
  const file = join(place.directory, 'output')
  runProgram(`
    await once({ stdio: { stdout: 'ignore' } })
    closeSync(1)
    openSync(${JSON.stringify(file)}, 'w')
    await once()`)
  expect(readFileSync(file, 'utf8')).toBe('output\n')
})

test('a container may get any descriptor of the program', () => {
  place.configure('read line; echo "got $line"; echo error >&2')
  const [input, file] = ['input', 'output'].map((name) => JSON.stringify(join(place.directory, name)))
  const [codes, processes] = runProgram(`
    writeFileSync(${input}, 'one\\ntwo\\n')
    const stdin = openSync(${input}, 'r')
    const stdout = openSync(${file}, 'a')
    say([await once({ stdio: { stdin, stdout, stderr: stdout } }), await once({ stdio: { stdin, stdout, stderr: 'ignore' } })])
    await sleep(50)
    say(servers())`)
  expect(codes).toEqual([0, 0])
  expect(processes).toEqual([]) // each had one of its own
  expect(readFileSync(join(place.directory, 'output'), 'utf8')).toBe('got one\nerror\ngot two\n')
})

test.each([
  ['', []],
  [' without close_range(2)', [436]],
])('the output of a container ends with it, whatever has been started meanwhile%s', (_, calls) => {
  place.configure('! grep -q slow /proc/self/cgroup || until test -e /end; do sleep 0.05; done')
  const end = JSON.stringify(join(place.bundle, 'rootfs/end'))
  const [quick, slow] = runProgram(
    `
    await once()
    const stream = () => new PassThrough().resume()
    const quick = once({ stdio: { stdout: stream(), stderr: stream() } }) // its first pipe is made before the other starts
    const slow = once({ id: ${JSON.stringify(`${place.id}-slow`)}, stdio: { stdout: stream() } })
    say(await quick)
    writeFileSync(${end}, '')
    say(await slow)`,
    ...(calls.length === 0 ? [] : [without(), ...calls.map(String), '--']),
  )
  expect([quick, slow]).toEqual([0, 0])
})

test('a container has nothing of the process that starts it and others', () => {
  place.configure('ls /proc/self/fd; readlink /proc/self/fd/0')
  const [outputs] = runProgram(`
    const all = await Promise.all(Array.from({ length: 20 }, () => streamed()))
    say([...new Set(all.map(([code, output]) => code + ' ' + output))])`)
  expect(outputs).toEqual(['0 0\n1\n2\n3\n/dev/null\n']) // 3 is the directory that ls reads
})

test('signals of the program are passed on', async () => {
  place.configure(
    'trap "exit 9" USR1; test -e /again || { echo > /again; exit 0; }; echo ready; while :; do sleep 0.05; done',
    {
      config: { root: { path: 'rootfs' } },
    },
  )
  const body = 'say(await once({ forwardSignals: true }))'
  const program = spawn(process.execPath, ['--input-type=module', '-e', programOf(body)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(program, 'exit')
  const output: string[] = []
  program.stdout.on('data', (chunk) => {
    output.push(String(chunk))
    if (String(chunk) === 'ready\n') program.kill('SIGUSR1')
  })
  expect(await ended).toEqual([0, null])
  expect(output).toEqual(['ready\n', '9\n'])
})

test('when the process that starts containers is killed, so is the call; the next starts another', () => {
  place.configure('sleep 0.5; exit 3')
  const [error, code] = runProgram(`
    const running = once().catch(({ code, message }) => ({ code, message }))
    await sleep(200)
    process.kill(Number(servers()[0]), 'SIGKILL')
    say(await running)
    say(await once())
    await sleep(500)`)
  expect(error).toEqual({
    code: 'ERR_RUNNER_MISSING',
    message: 'the process that starts containers has ended with SIGKILL',
  })
  expect(code).toBe(3)
  expect(place.leftovers()).toEqual([])
})

test('one that is found dead when it is called is no error: another starts the container', () => {
  place.configure('exit 3')
  const [codes] = runProgram(`
    const codes = []
    for (let i = 0; i < 10; i++) {
      codes.push(await once())
      process.kill(Number(servers()[0]), 'SIGKILL')
      for (const start = Date.now(); Date.now() < start + 20;); // nothing is heard of its end meanwhile
      codes.push(i % 2 ? await once() : (await streamed())[0])
    }
    say(codes)`)
  expect(codes).toEqual(Array(20).fill(3))
  expect(place.leftovers()).toEqual([])
})

test('without descriptors left a call fails as such, and the next is as before', () => {
  place.configure('exit 3', { process: { rlimits: [] } })
  const [error, code] = runProgram(
    `
    const files = []
    for (;;) try { files.push(openSync('/dev/null')) } catch { break }
    for (const file of files.splice(-3)) closeSync(file) // config.json can be read, but there is no pipe
    say(await once().catch(({ code, message }) => ({ code, message })))
    for (const file of files) closeSync(file)
    say(await once())`,
    'prlimit',
    '--nofile=200',
  )
  expect(error).toEqual({ code: 'ERR_RUNNER_MISSING', message: expect.stringContaining('EMFILE') })
  expect(code).toBe(3)
})

test('an environment that changes while containers start loses none of them', () => {
  place.configure('exit 0')
  const [codes, processes] = runProgram(`
    const all = []
    for (let i = 0; i < 40; i++) {
      process.env.VALUE = String(i)
      all.push(streamed(), once())
      if (i % 7 === 0) await sleep(1)
    }
    say([...new Set((await Promise.all(all)).flat())])
    await sleep(100)
    say(servers().length)`)
  expect(codes).toEqual([0, ''])
  expect(processes).toBe(1)
})

test('words with a NUL are no other words', () => {
  place.configure('exit 3')
  const [error] = runProgram(`
    const bundle = base.bundle + '\\0--keep'
    say(await once({ bundle }).catch(({ code }) => ({ code })))`)
  expect(error).toEqual({ code: expect.stringMatching(/^ERR_/) })
  expect(place.leftovers()).toEqual([])
})

/** A server alone, which is given these bytes: how it ends, by itself or when the socket is closed, which the first answer does. */
async function order(bytes: Buffer, waits: boolean): Promise<{ code: number; answer: Buffer }> {
  const server = spawn(join(distribution, 'bundle-tool'), [], {
    argv0: 'bundle-tool:orders=3',
    stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
  })
  const socket = server.stdio[3] as Socket
  const answers: Buffer[] = []
  const ended = once(server, 'exit')
  socket.on('error', () => undefined) // it may end before it has read all
  socket.on('data', (chunk) => {
    answers.push(chunk)
    socket.end()
  })
  socket.write(bytes)
  if (!waits) socket.end()
  const [code] = await ended
  return { code, answer: Buffer.concat(answers) }
}

const header = (kind: number, words = 0, values = [-1, -1, -1]) =>
  Buffer.from(new Int32Array([kind, 7, words, ...values]).buffer)

test.each([
  ['half an order', Buffer.alloc(10), 0],
  ['an order of no kind', header(9), 1],
  ['more words than there is room for', header(1, 1 << 20), 1],
  ['words without an end', Buffer.concat([header(1, 4), Buffer.from('word')]), 1],
  ['a signal for nobody', header(4, 0, [9, -1, -1]), 0],
])('%s: the server ends', async (_, bytes, code) => {
  expect(await order(bytes, false)).toEqual({ code, answer: Buffer.alloc(0) })
})

test.each([
  ['no words', ''],
  ['a command that has no program', 'kill\0demo\0'],
  ['a bundle whose program was not kept', '--root\0/nowhere\0run\0--bundle\0/nowhere\0demo\0'],
  ['more words than a command line has', 'run\0'.repeat(100)],
])('a run with %s does nothing', async (_, words) => {
  const { code, answer } = await order(Buffer.concat([header(1, words.length), Buffer.from(words)]), true)
  const [kind, number] = [answer.readUInt32LE(0), answer.readUInt32LE(28)]
  expect({ code, kind, status: answer.readInt32LE(20), number }).toEqual({ code: 0, kind: 8, status: 75, number: 7 })
})
