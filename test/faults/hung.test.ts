// A container that waits in vain: each wait ends in an error that names its object, and leaves nothing.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, vi } from 'vitest'
import type { Hooks, Seccomp } from '../../src/oci/runtime-config.ts'
import { type ConfigChange, ContainerPlace } from '../container.ts'
import { requires } from '../requirements.ts'

const { test } = requires('root', 'busybox', 'python3')

let place: ContainerPlace
let listener: ChildProcess | undefined
beforeEach(() => {
  place = new ContainerPlace()
})
afterEach(async () => {
  if (listener) {
    listener.kill('SIGKILL')
    if (listener.exitCode === null && listener.signalCode === null) await once(listener, 'exit')
    listener = undefined
  }
  await place.close()
})

const hooks = (kind: keyof Hooks, script: string, timeout?: number): ConfigChange => ({
  config: { hooks: { [kind]: [{ path: '/bin/sh', args: ['sh', '-c', script], env: ['PATH=/bin'], timeout }] } },
})

test.each(['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart'] as const)(
  'a %s hook that hangs is killed when its time is up',
  (kind) => {
    const started = Date.now()
    const { end, stderr } = place.run('exec sleep 20', hooks(kind, 'exec sleep 1000', 1))
    expect(end).not.toBe(0)
    expect(stderr).toContain(`error running ${kind} hook #0: context deadline exceeded`)
    expect(Date.now() - started).toBeLessThan(10_000)
    expect(place.leftovers()).toEqual([])
  },
)

test('a hook that leaves a process behind is not waited for longer than it runs', () => {
  const started = Date.now()
  const { end, stdout } = place.run('echo ran', hooks('createRuntime', 'sleep 15 & true'))
  expect({ end, stdout }).toEqual({ end: 0, stdout: 'ran\n' })
  expect(Date.now() - started).toBeLessThan(10_000)
})

/** Where a hook that hangs writes its process ID. */
const sign = (): string => join(place.directory, 'sign')

/** Starts a run whose hook hangs, and waits until it does. */
async function hang(kind: 'createRuntime' | 'createContainer'): Promise<ChildProcess> {
  place.configure('exit 0', hooks(kind, `echo $$ > ${sign()}; exec sleep 1000`))
  const tool = place.start(['run', '-b', place.bundle, place.id])
  await vi.waitFor(() => expect(existsSync(sign())).toBe(true), 20_000)
  return tool
}

test.each(['createRuntime', 'createContainer'] as const)(
  'a tool that waits for a %s hook without a limit ends by SIGTERM, and takes all back',
  async (kind) => {
    const tool = await hang(kind)
    tool.kill('SIGTERM')
    expect((await once(tool, 'exit'))[0]).not.toBe(0)
    await vi.waitFor(() => expect(place.leftovers()).toEqual([]), 5000)
  },
)

test.each(['createRuntime', 'createContainer'] as const)(
  'a runner killed while a %s hook hangs leaves what delete clears',
  async (kind) => {
    const tool = await hang(kind)
    for (const pid of childrenOf(tool)) process.kill(pid, 'SIGKILL')
    await once(tool, 'exit')
    // A hook of the host is not the container's: nobody but who killed the runner can end it.
    if (kind === 'createRuntime') process.kill(Number(readFileSync(sign(), 'utf8')), 'SIGKILL')
    expect(place.tool(['delete', '--force', place.id])).toMatchObject({ end: 0, stderr: '' })
    await vi.waitFor(() => expect(place.leftovers()).toEqual([]), 5000)
  },
)

/** The runner alone is a child of the tool that waits for it. */
function childrenOf({ pid }: ChildProcess): readonly number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number)
}

/** Listens and never accepts, its queue full; or accepts, takes the listener and never answers. */
const deaf = `
import socket, sys, time
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen(0)
clients = []
while sys.argv[2] == 'full':
    client = socket.socket(socket.AF_UNIX)
    client.setblocking(False)
    try:
        client.connect(sys.argv[1])
    except BlockingIOError:
        break
    clients.append(client)
print('ready', flush=True)
connection = None
if sys.argv[2] == 'mute':
    connection, _ = server.accept()
    message = socket.recv_fds(connection, 65536, 4)
time.sleep(1000)
`

async function listen(how: 'full' | 'mute'): Promise<string> {
  const path = join(place.directory, 'socket')
  listener = spawn('python3', ['-c', deaf, path, how], { stdio: ['ignore', 'pipe', 'inherit'] })
  if (listener.stdout) await once(listener.stdout, 'data')
  return path
}

test('a console socket whose listener accepts nothing is an error', async () => {
  const socket = await listen('full')
  place.configure('exit 0', { process: { terminal: true } })
  const { end, stderr } = place.tool(['create', '-b', place.bundle, '--console-socket', socket, place.id])
  expect(end).toBe(1)
  expect(stderr).toContain(`--console-socket \\"${socket}\\": connect: it does not accept a connection`)
  expect(place.leftovers()).toEqual([])
})

test.each([
  ['accepts nothing', 'full', 'failed to connect with seccomp agent'],
  ['answers nothing', 'mute', 'the seccomp agent does not answer a notification of the container'],
] as const)('a seccomp agent that %s is an error', async (_, how, words) => {
  const seccomp: Seccomp = {
    defaultAction: 'SCMP_ACT_ALLOW',
    listenerPath: await listen(how),
    syscalls: [{ names: ['setgroups'], action: 'SCMP_ACT_NOTIFY' }],
  }
  place.comparesErrors = false
  const { end, stderr } = place.run('exit 0', { linux: { seccomp }, process: { noNewPrivileges: false } })
  expect(end).toBe(1)
  expect(stderr).toContain(words)
  expect(place.leftovers()).toEqual([])
})

test.each([4096, 65_536])('with a memory limit of %i the error says that init was OOM-killed', (limit) => {
  const { end, stderr } = place.run('exit 0', { linux: { resources: { memory: { limit } } } })
  expect(end).toBe(1)
  expect(stderr).toContain('container init was OOM-killed (memory limit too low?)')
  expect(place.leftovers()).toEqual([])
})
