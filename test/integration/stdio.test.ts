import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, closeSync, mkdirSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, vi } from 'vitest'
import { type ConfigChange, ContainerPlace, userNamespace } from '../container.ts'
import { withControllingTerminal } from '../controlling-terminal.ts'
import { callBy, front, script as tool, wayNames } from '../front/ways.ts'
import { requires } from '../requirements.ts'

const { test } = requires('root', 'busybox', 'script', 'mkfifo', 'python3')

let place: ContainerPlace
beforeEach(() => {
  place = new ContainerPlace()
})
afterEach(() => place.close())

const file = (name: string): string => join(place.directory, name)
const text = (name: string): string => readFileSync(file(name), 'utf8')
const run = () => ['run', '-b', place.bundle, place.id]
const restrictive = (name: string, content: string): string => {
  writeFileSync(file(name), content)
  chmodSync(file(name), 0o600)
  return file(name)
}
const meta = (path: string) => {
  const { uid, gid, mode, ino, mtimeMs } = statSync(path)
  return { uid, gid, mode, ino, mtimeMs }
}

/** Runs a command line of a shell in which "$@" is the tool, with files of the caller as its descriptors. */
function shell(command: string, args: readonly string[], words: readonly string[] = [process.execPath, tool]) {
  const all = ['-c', command, 'sh', ...words, '--root', place.root, ...args]
  return spawnSync('/bin/sh', all, { cwd: place.directory, encoding: 'utf8', timeout: 30_000, killSignal: 'SIGKILL' })
}

const asUser = { process: { user: { uid: 1000, gid: 1000 } } }
const users: Readonly<Record<string, ConfigChange>> = {
  root: {},
  'another user': asUser,
  'root of a user namespace': userNamespace,
  'another user of a user namespace': { ...userNamespace, ...asUser },
}

describe.each(wayNames)("files of the caller's stay the caller's, by %s", (way) => {
  /** Reads all, tells what the descriptors are, and opens them again: to write at the beginning of what is there. */
  const script =
    'cat; for fd in 0 1 2; do readlink /proc/self/fd/$fd; done; echo out >/dev/stdout; echo err >/dev/stderr'

  test.each(Object.entries(users))('as %s', (_, change) => {
    if (change.linux) place.giveRootfsTo(100_000)
    const change2 = { ...change, process: { ...change.process, args: ['sh', '-c', script] } }
    place.configure('sleep 1000', change)
    expect(place.tool(['run', '-d', '-b', place.bundle, place.id])).toMatchObject({ end: 0, stderr: '' })
    const input = restrictive('input', 'secret\n')
    const log = restrictive('log', 'kept\n')
    const before = [meta(input), meta(log)]
    const options = { redirections: '<input >>log 2>&1' }

    const exec = ['exec', place.id, 'sh', '-c', script]
    expect(callBy(way, place, exec, options)).toMatchObject({ end: 0 })
    const links = 'pipe:\\[\\d+\\]\\n'.repeat(3)
    expect(text('log')).toMatch(new RegExp(`^kept\\nsecret\\n${links}out\\nerr\\n$`))

    writeFileSync(log, 'kept\n')
    place.configure('', change2)
    expect(callBy(way, place, ['run', '-b', place.bundle, `${place.id}-2`], options)).toMatchObject({ end: 0 })
    expect(text('log')).toMatch(new RegExp(`^kept\\nsecret\\n${links}out\\nerr\\n$`))
    const after = [meta(input), meta(log)]
    expect(after[0]).toEqual(before[0])
    expect({ ...after[1], mtimeMs: 0 }).toEqual({ ...before[1], mtimeMs: 0 })
    expect(text('input')).toBe('secret\n')
  })

  test.each(Object.entries(users))('pipes are handed on, and can be opened again, as %s', (_, change) => {
    if (change.linux) place.giveRootfsTo(100_000)
    place.configure('readlink /proc/self/fd/1; cat; echo out >/dev/stdout; echo err >/dev/stderr', change)
    const words = way === 'Node.js' ? [process.execPath, tool] : [front]
    const command =
      '{ readlink /proc/self/fd/3 >link; printf in | "$@" 2>&1 >&3 3>&- | cat >error; } 3>&1 | cat >output'
    for (let i = 0; i < 2; i++) {
      shell(command, run(), words)
      expect({ output: text('output'), error: text('error') }).toEqual({
        output: `${text('link')}inout\n`,
        error: 'err\n',
      })
    }
  })
})

test('a named FIFO is a file of the caller, too', () => {
  place.configure('cat; readlink /proc/self/fd/0; readlink /proc/self/fd/1', asUser)
  for (const name of ['in', 'out']) expect(spawnSync('mkfifo', ['-m', '600', file(name)]).status).toBe(0)
  const before = [meta(file('in')), meta(file('out'))]
  const command = 'cat out >said & echo hello >in & "$@" <in >out; code=$?; wait; exit "$code"'
  expect(shell(command, run())).toMatchObject({ status: 0, stderr: '' })
  expect(text('said')).toMatch(/^hello\npipe:\[\d+\]\npipe:\[\d+\]\n$/)
  const ownerOf = ({ uid, gid, mode }: ReturnType<typeof meta>) => ({ uid, gid, mode })
  expect([meta(file('in')), meta(file('out'))].map(ownerOf)).toEqual(before.map(ownerOf))
})

test.each([
  ['a file', '<big >copy'],
  ['a pipe', '<big >copy'],
])('100 MB go through whole, from %s', (kind, redirections) => {
  const [big, copy] = [file('big'), file('copy')]
  expect(spawnSync('/bin/sh', ['-c', `head -c 100000000 /dev/urandom > ${big}`]).status).toBe(0)
  place.configure('cat')
  const command = kind === 'a pipe' ? 'cat big | "$@" >copy' : `exec "$@" ${redirections}`
  expect(shell(command, run())).toMatchObject({ status: 0, stderr: '' })
  expect(spawnSync('cmp', [big, copy]).status).toBe(0)
  rmSync(big)
  rmSync(copy)
})

test('who reads slowly gets all, and the container waits', async () => {
  place.configure('seq 200000; echo written > /shared/marker')
  const { mounts = [] } = place.configure('')
  mkdirSync(file('shared'))
  const mount = { destination: '/shared', source: file('shared'), options: ['bind', 'rw'] }
  place.configure('seq 200000; echo written > /shared/marker', { config: { mounts: [...mounts, mount] } })
  expect(spawnSync('mkfifo', [file('out')]).status).toBe(0)
  const fifo = openSync(file('out'), 'r+') // so that nobody waits for the other to open it
  const child = spawn('/bin/sh', ['-c', 'exec "$@" >out 3<&-', 'sh', front, '--root', place.root, ...run()], {
    cwd: place.directory,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  await sleep(500)
  expect(() => text('shared/marker')).toThrow('ENOENT')
  const reader = spawn('/bin/sh', ['-c', 'exec cat out'], {
    cwd: place.directory,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const said: Buffer[] = []
  reader.stdout.on('data', (chunk: Buffer) => said.push(chunk))
  const [code] = await once(child, 'exit')
  closeSync(fifo)
  await once(reader, 'close')
  expect(code).toBe(0)
  expect(Buffer.concat(said).toString()).toBe(Array.from({ length: 200_000 }, (_, index) => `${index + 1}\n`).join(''))
  expect(text('shared/marker')).toBe('written\n')
})

test('the exit code is that of the container, whatever it leaves unread', () => {
  writeFileSync(file('input'), 'x'.repeat(1_000_000))
  for (const [script, status] of [
    ['exit 7', 7],
    ["exec 2>&-; sh -c 'kill -9 $$'; exit $?", 137],
    ['exec <&-; sleep 0.1; echo late; exit 3', 3],
  ] as const) {
    place.configure(script)
    expect(shell('exec "$@" <input >output', run())).toMatchObject({ status, stderr: '' })
  }
  expect(text('output')).toBe('late\n')
})

test('what a container does not read of a file is there for the next', () => {
  writeFileSync(file('list'), '1\n2\n3\n')
  place.configure('true')
  const loop = 'while read line; do echo "$line"; "$@"; done <list'
  expect(shell(loop, run())).toMatchObject({ status: 0, stdout: '1\n2\n3\n', stderr: '' })
  place.configure('read line; echo "container $line"')
  expect(shell(loop, run()).stdout).toBe('1\ncontainer 2\n3\ncontainer \n')
})

test('a terminal is not for a container that wants none: what is typed and shown goes by way of the tool', async () => {
  place.configure('tty; readlink /proc/self/fd/0; read line; echo "got $line"; echo error >&2; exit 9')
  const command = `${process.execPath} ${tool} --root ${place.root} ${run().join(' ')}`
  const child = spawn('script', ['-qec', command, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] })
  let screen = ''
  child.stdout.on('data', (chunk: Buffer) => {
    if (!screen.includes('pipe:') && String(chunk).includes('pipe:')) child.stdin.write('typed\n')
    screen += chunk.toString()
  })
  const [code] = await once(child, 'close')
  expect(code).toBe(9)
  const lines = screen.split(/\r?\n/).filter((line) => line !== '')
  expect(lines).toEqual(['not a tty', expect.stringMatching(/^pipe:/), 'typed', 'got typed', 'error'])
})

/** Runs the tool in the background of a terminal, where it may not read, and then in the foreground. */
const jobControl = `
import os, pty, signal, sys, time
pid, terminal = pty.fork()
if pid == 0:
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        os.execv(sys.argv[1], sys.argv[1:])
    os.setpgid(child, child)
    time.sleep(1.5)
    os.tcsetpgrp(0, child)
    os.killpg(child, signal.SIGCONT)
    _, status = os.waitpid(child, 0)
    os._exit(os.waitstatus_to_exitcode(status))
time.sleep(0.7)
os.write(terminal, b'typed\\n')
said = b''
while True:
    try:
        chunk = os.read(terminal, 4096)
    except OSError:
        break
    said += chunk
sys.stdout.write(said.decode())
_, status = os.waitpid(pid, 0)
sys.exit(os.waitstatus_to_exitcode(status))
`

test('a job in the background reads the terminal when it is in the foreground again', () => {
  place.configure('read line; echo "got $line"; exit 4')
  const words = ['-c', jobControl, front, '--root', place.root, ...run()]
  const { status, stdout } = spawnSync('python3', words, { encoding: 'utf8', timeout: 20_000 })
  expect(stdout.replaceAll('\r', '')).toBe('typed\ngot typed\n')
  expect(status).toBe(4)
})

test.each([
  ['run', 1],
  ['exec', 255],
])('that the output of %s is lost is an error', (command, code) => {
  place.configure('sleep 1000')
  place.tool(['run', '-d', '-b', place.bundle, place.id])
  place.configure('echo output', {})
  const args = command === 'run' ? ['run', '-b', place.bundle, `${place.id}-2`] : ['exec', place.id, 'echo', 'output']
  for (const words of [[process.execPath, tool], [front], [front]]) {
    const { status, stderr } = shell('exec "$@" >/dev/full', args, words)
    expect(stderr).toMatch(
      /^time="[^"]*" level=error msg="standard output: write: no space left on device \(ENOSPC\)[^\n]*"\n$/,
    )
    expect(status).toBe(code)
  }
  expect(place.states()).toEqual([place.id])
})

test('a terminal that is shown where nothing can be written is closed, and that is an error', () => {
  place.configure('seq 100000; exit 3', { process: { terminal: true } })
  const { status, stderr } = shell('exec "$@" </dev/null >/dev/full', run(), [
    ...withControllingTerminal,
    process.execPath,
    tool,
  ])
  expect(stderr).toContain('standard output: write: no space left on device (ENOSPC)')
  expect(status).toBe(1)
  expect(place.leftovers()).toEqual([])
})

test('standard output and error that are one file keep their order', () => {
  place.configure(
    'for i in 1 2 3 4 5; do echo out$i; echo err$i >&2; done; [ /proc/self/fd/1 -ef /proc/self/fd/2 ] && echo one; exit 0',
  )
  expect(shell('exec "$@" >both 2>&1', run()).status).toBe(0)
  const lines = [1, 2, 3, 4, 5].flatMap((i) => [`out${i}`, `err${i}`])
  expect(text('both')).toBe(`${[...lines, 'one'].join('\n')}\n`)
  expect(shell('exec "$@" >out 2>err', run()).status).toBe(0)
  expect([text('out'), text('err')]).toEqual(
    ['out', 'err'].map((name) => [1, 2, 3, 4, 5].map((i) => `${name}${i}\n`).join('')),
  )
})

test('what processes write that are left behind is waited for, as runc does, until somebody asks to stop', async () => {
  place.configure('sleep 1000')
  place.tool(['run', '-d', '-b', place.bundle, place.id])
  const late = ['exec', place.id, 'sh', '-c', '(sleep 0.5; echo late) & echo early; exit 6']
  expect(shell('exec "$@" >output', late).status).toBe(6)
  expect(text('output')).toBe('early\nlate\n')
  const words = ['-c', 'exec "$@" >output', 'sh', front, '--root', place.root, 'exec', place.id]
  const child = spawn('/bin/sh', [...words, 'sh', '-c', 'sleep 1000 & echo early; exit 6'], { cwd: place.directory })
  await vi.waitFor(() => expect(text('output')).toBe('early\n'), 5000)
  await sleep(200)
  expect(child.exitCode).toBe(null)
  child.kill('SIGTERM')
  const [code] = await once(child, 'exit')
  expect(code).toBe(6)
})

test('a hook waits for a container that writes more than a pipe holds', () => {
  mkdirSync(file('shared'))
  const { mounts = [] } = place.configure('')
  const mount = { destination: '/shared', source: file('shared'), options: ['bind', 'rw'] }
  const wait = `until [ -e ${file('shared/marker')} ]; do sleep 0.01; done`
  place.configure('seq 100000; echo > /shared/marker', {
    config: {
      mounts: [...mounts, mount],
      hooks: { poststart: [{ path: '/bin/sh', args: ['sh', '-c', wait], timeout: 10 }] },
    },
  })
  expect(shell('exec "$@" >output', run())).toMatchObject({ status: 0, stderr: '' })
  expect(text('output').endsWith('\n100000\n')).toBe(true)
})

test('the words of a command that cannot be executed arrive, and all that came before a hook failed', () => {
  writeFileSync(join(place.bundle, 'rootfs/bad'), '#!/no/such\n', { mode: 0o755 })
  place.configure('', { process: { args: ['/bad'] } })
  expect(shell('exec "$@" >output 2>error', run()).status).toBe(255)
  expect(text('error')).toBe('exec /bad: no such file or directory\n')
  place.configure('echo output; sleep 1000', {
    config: { hooks: { poststart: [{ path: '/bin/sh', args: ['sh', '-c', 'sleep 0.3; exit 5'] }] } },
  })
  expect(shell('exec "$@" >output', run()).status).toBe(1)
  expect(text('output')).toBe('output\n')
  expect(place.leftovers()).toEqual([])
})

test('who may only be written to has nothing to read, and is no error', () => {
  place.configure('cat; echo end')
  expect(shell('exec "$@" 0>empty >output', run())).toMatchObject({ status: 0, stderr: '' })
  expect(text('output')).toBe('end\n')
})

test('a container whose start is told to a service manager reads its input to the end', () => {
  writeFileSync(file('input'), 'all of it\n')
  place.configure('cat')
  const command = `NOTIFY_SOCKET=${file('nobody')} exec "$@" <input >output`
  expect(shell(command, run())).toMatchObject({ status: 0, stderr: '' })
  expect(text('output')).toBe('all of it\n')
})

test('who detaches gives the container what it has, as with runc', () => {
  place.configure('(readlink /proc/$$/fd/0; readlink /proc/$$/fd/1) > /dev/shm/links; sleep 1000')
  writeFileSync(file('input'), '')
  expect(shell('exec "$@" <input >>output', ['run', '-d', '-b', place.bundle, place.id])).toMatchObject({ status: 0 })
  const read = 'until [ "$(wc -l < /dev/shm/links)" = 2 ]; do sleep 0.01; done; cat /dev/shm/links'
  expect(place.tool(['exec', place.id, 'sh', '-c', read]).stdout).toMatch(/input\n.*output\n$/)
})

test('a container that stays when it has ended stays though its output is lost', () => {
  place.configure('echo output')
  expect(shell('exec "$@" >/dev/full', ['run', '--keep', '-b', place.bundle, place.id]).status).toBe(1)
  expect(place.tool(['state', place.id]).stdout).toContain('"stopped"')
})
