import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect } from 'vitest'
import { engine, tool } from '../command-line.ts'
import { ContainerPlace } from '../container.ts'
import { withControllingTerminal, withoutTerminal } from '../controlling-terminal.ts'
import { callBy, wayNames, withNode } from '../front/ways.ts'
import { requires } from '../requirements.ts'

const { test } = requires('root', 'busybox', 'script', 'python3', 'setsid')

let place: ContainerPlace
const helpers: ChildProcess[] = []
beforeEach(() => {
  place = new ContainerPlace()
})
afterEach(async () => {
  for (const helper of helpers.splice(0)) if (helper.exitCode === null) helper.kill('SIGKILL')
  await place.close()
})

const terminal = { process: { terminal: true } }

const run = (): string => `${engine} ${tool} --root ${place.root} run -b ${place.bundle} ${place.id}`

/** Runs a shell command, the container's most often, with a terminal of its own, by script(1); what is seen there, and the exit code. */
async function inTerminal(command: string, input: string, waitFor = ''): Promise<{ screen: string; code: number }> {
  const child = spawn('script', ['-qec', command, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] })
  helpers.push(child)
  let screen = ''
  let isSent = false
  child.stdout.on('data', (chunk: Buffer) => {
    screen += chunk.toString()
    if (isSent || !screen.includes(waitFor)) return
    isSent = true
    child.stdin.write(input)
  })
  const [code] = await once(child, 'close')
  return { screen, code }
}

test("a container has a terminal of the size of the user's, and its output is complete", async () => {
  place.configure('stty size; tty; ls -l /proc/self/fd/0; seq 30000; exit 6', terminal)
  const { screen, code } = await inTerminal(`stty rows 31 cols 97; exec ${run()}`, '')
  const lines = screen.split(/\r?\n/)
  expect(lines[0]).toBe('31 97')
  expect(lines[1]).toBe('/dev/pts/0')
  expect(lines.slice(3, -1)).toEqual(Array.from({ length: 30000 }, (_, index) => String(index + 1)))
  expect(code).toBe(6)
  expect(place.leftovers()).toEqual([])
})

test('Ctrl-C goes to what runs in the container, not to the tool', async () => {
  place.configure("trap 'echo interrupted; exit 8' INT; echo waiting; while :; do sleep 0.05; done", terminal)
  const { screen, code } = await inTerminal(run(), '\x03', 'waiting')
  expect(screen).toContain('interrupted')
  expect(code).toBe(8)
})

test('what is typed is not echoed twice, and the terminal of the user is as it was', async () => {
  place.configure('echo ready; read line; echo "got $line"', terminal)
  const command = `before=$(stty -g); ${run()}; [ "$before" = "$(stty -g)" ] && echo restored`
  const { screen } = await inTerminal(command, 'typed\n', 'ready')
  expect(screen.split(/\r?\n/)).toEqual(['ready', 'typed', 'got typed', 'restored', ''])
})

test('a terminal that none of the descriptors is will do, as with runc', () => {
  place.configure('tty; read line; echo "got $line"', terminal)
  const { end, stdout } = place.tool(['run', '-b', place.bundle, place.id], {
    input: 'piped\n',
    under: withControllingTerminal,
  })
  expect(end).toBe(0)
  expect(stdout.split(/\r?\n/).sort()).toEqual(['', '/dev/pts/0', 'got piped', 'piped'])
})

const nobody = 'none of standard input, output and error is a terminal; call it from a terminal, or'
/** A kept program is executed without Node.js, which is started for the words of the failure. */
const unattended = { before: withoutTerminal, env: { PATH: withNode } }
const refusals = {
  config: `process.terminal in config.json is true, but ${nobody} make the bundle without one: pull, unpack and spec take --no-tty`,
  flag: `a terminal is asked for (--tty), but ${nobody} leave --tty out`,
  file: `terminal in the file of --process is true, but ${nobody} set it to false`,
  background:
    'but nobody would hold the terminal of what goes on in the background; pass --console-socket, or make the bundle without one',
}

test.each(wayNames)('where there is no terminal, run fails before anything is made, by %s', (way) => {
  place.configure('sh', terminal)
  const { end, stderr } = callBy(way, place, ['run', '-b', place.bundle, place.id], unattended)
  expect(end).toBe(1)
  expect(stderr).toContain(refusals.config)
  expect(place.leftovers()).toEqual([])
})

test.each(wayNames)('where there is no terminal, exec fails at once, by %s', (way) => {
  place.configure('sleep 1000')
  expect(place.tool(['run', '-d', '-b', place.bundle, place.id])).toMatchObject({ end: 0, stderr: '' })
  const file = join(place.directory, 'process.json')
  writeFileSync(file, JSON.stringify({ terminal: true, cwd: '/', args: ['sh'], user: { uid: 0, gid: 0 } }))
  const words = [
    [['exec', '-t', place.id, 'sh'], refusals.flag],
    [['exec', '-p', file, place.id], refusals.file],
  ] as const
  for (const [args, refusal] of words) {
    const { end, stderr } = callBy(way, place, args, unattended)
    expect(end).toBe(255)
    expect(stderr).toContain(refusal)
  }
})

test('what goes on in the background has no terminal without somebody to hold it', () => {
  place.configure('sh', terminal)
  for (const command of [['create'], ['run', '-d']]) {
    const { end, stderr } = place.tool([...command, '-b', place.bundle, place.id])
    expect(end).toBe(1)
    expect(stderr).toContain(`process.terminal in config.json is true, ${refusals.background}`)
  }
  expect(place.leftovers()).toEqual([])
})

test('a program that gives a container streams does not give it its own terminal', () => {
  place.configure('sh', terminal)
  const options = { root: place.root, id: place.id, bundle: place.bundle }
  const program = `
    import { PassThrough } from 'node:stream'
    import { run } from '${join(import.meta.dirname, '../../dist/bin/index.mjs')}'
    const stdio = { stdin: 'ignore', stdout: new PassThrough(), stderr: 'ignore' }
    for (let i = 0; i < 3; i++) await run({ ...${JSON.stringify(options)}, stdio }).catch(({ message }) => console.log(message))
  `
  const [command = '', ...words] = [...withControllingTerminal, process.execPath, '--input-type=module', '-e', program]
  const { stdout } = spawnSync(command, words, { encoding: 'utf8', timeout: 30_000 })
  const message =
    'process.terminal in config.json is true, but none of standard input, output and error is a terminal\n'
  expect(stdout).toBe(message.repeat(3))
  expect(place.leftovers()).toEqual([])
})

/** Takes one descriptor from the socket, says its name, and copies what the terminal says. */
const receiver = `
import array, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen(1)
print('listening', flush=True)
connection, _ = server.accept()
name, fds, _, _ = socket.recv_fds(connection, 4096, 8)
print(len(fds), name.decode(), flush=True)
os.write(fds[0], b'typed\\n')
while True:
    try:
        chunk = os.read(fds[0], 4096)
    except OSError:
        break
    if not chunk:
        break
    sys.stdout.buffer.write(chunk)
    sys.stdout.flush()
`

test('--console-socket gets the terminal, for create and for a detached run', async () => {
  for (const detached of [false, true]) {
    const socket = join(place.directory, `socket-${detached}`)
    writeFileSync(join(place.directory, 'receiver.py'), receiver)
    const helper = spawn('python3', [join(place.directory, 'receiver.py'), socket], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    helpers.push(helper)
    const output: Buffer[] = []
    await new Promise((resolve) => {
      helper.stdout.on('data', (chunk: Buffer) => {
        output.push(chunk)
        resolve(chunk)
      })
    })
    place.configure('read line; echo "got $line"; ls -l /proc/self/fd/1; stty size', {
      process: { terminal: true, consoleSize: { height: 11, width: 22 } },
    })
    const words = detached ? ['run', '-d'] : ['create']
    const made = place.tool([...words, '--console-socket', socket, '-b', place.bundle, place.id])
    expect(made).toMatchObject({ end: 0, stdout: '', stderr: '' })
    if (!detached) expect(place.tool(['start', place.id]).end).toBe(0)
    await once(helper, 'close')
    const text = Buffer.concat(output).toString()
    expect(text).toContain('1 /dev/ptmx\n')
    expect(text).toMatch(/got typed\r?\n/)
    expect(text).toMatch(/\/dev\/pts\/0\r?\n/)
    expect(text).toMatch(/11 22\r?\n/)
    expect(place.tool(['delete', '-f', place.id]).end).toBe(0)
  }
  expect(place.leftovers()).toEqual([])
})

test.each([
  ['create without a console socket', ['create'], true],
  ['a console socket without a terminal', ['create', '--console-socket', '/no/such'], false],
  ['a console socket in the foreground', ['run', '--console-socket', '/no/such'], true],
  ['a console socket that is not there', ['create', '--console-socket', '/no/such'], true],
])('%s is refused', (_, words, wantsTerminal) => {
  place.configure('exit 0', { process: { terminal: wantsTerminal } })
  const { end, stderr } = place.tool([...words, '-b', place.bundle, place.id])
  expect(end).not.toBe(0)
  expect(stderr).toMatch(/console.socket/)
  expect(place.leftovers()).toEqual([])
})
