import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect } from 'vitest'
import type { Seccomp } from '../../src/oci/runtime-config.ts'
import { ContainerPlace } from '../container.ts'
import { requires } from '../requirements.ts'

const { test } = requires('root', 'busybox', 'python3')

let place: ContainerPlace
beforeEach(() => {
  place = new ContainerPlace()
})
afterEach(() => place.close())

const refuseMkdir: Seccomp = {
  defaultAction: 'SCMP_ACT_ALLOW',
  architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
  syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 28 }],
}

test.each([true, false])('a filter holds in the container, with no_new_privs %s', (noNewPrivileges) => {
  const script = 'mkdir /tmp; grep Seccomp: /proc/self/status; grep NoNewPrivs /proc/self/status'
  const { stdout, stderr, end } = place.run(script, {
    linux: { seccomp: refuseMkdir },
    process: { noNewPrivileges },
    config: { root: { path: 'rootfs' } },
  })
  expect({ end, stdout }).toEqual({ end: 0, stdout: `Seccomp:\t2\nNoNewPrivs:\t${noNewPrivileges ? 1 : 0}\n` })
  expect(stderr).toContain('No space left on device')
})

test('exec runs under the filter of the container', () => {
  place.configure('exec sleep 1000', { linux: { seccomp: refuseMkdir } })
  expect(place.tool(['run', '-d', '-b', place.bundle, place.id])).toMatchObject({ end: 0 })
  const { stderr, end } = place.tool(['exec', place.id, 'mkdir', '/dev/shm/x'])
  expect(end).toBe(1)
  expect(stderr).toContain('No space left on device')
})

test('a filter that ends the process does so', () => {
  const kill: Seccomp = { ...refuseMkdir, syscalls: [{ names: ['mkdir'], action: 'SCMP_ACT_KILL_PROCESS' }] }
  const { end } = place.run('exec mkdir /dev/shm/x', { linux: { seccomp: kill } })
  expect(end).toBe(128 + 31)
})

/** Takes one listener, shows what it was told, and answers every call with ENOMEDIUM. */
const agent = `
import array, fcntl, json, select, socket, struct, sys
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen()
connection, _ = server.accept()
state, fds, _, _ = socket.recv_fds(connection, 65536, 4)
print(json.dumps(json.loads(state)), len(fds), flush=True)
poll = select.poll()
poll.register(fds[0], select.POLLIN)
while not any(events & select.POLLHUP for _, events in poll.poll()):
    call = bytearray(80)
    fcntl.ioctl(fds[0], 0xC0502100, call)
    fcntl.ioctl(fds[0], 0xC0182101, bytearray(struct.pack('=QqiI', struct.unpack_from('=Q', call)[0], 0, -123, 0)))
`

const notifyMkdir = (listenerPath: string): Seccomp => ({
  ...refuseMkdir,
  listenerPath,
  listenerMetadata: 'for the "agent"',
  syscalls: [{ names: ['mkdir'], action: 'SCMP_ACT_NOTIFY' }],
})

test.each([true, false])(
  '/linux/seccomp/{listenerPath,listenerMetadata}: an agent decides what it is told of, with no_new_privs %s',
  async (noNewPrivileges) => {
    const path = join(place.directory, 'agent.sock')
    const child = spawn('python3', ['-c', agent, path], { stdio: ['ignore', 'pipe', 'inherit'] })
    try {
      let told = ''
      child.stdout.on('data', (chunk) => {
        told += String(chunk)
      })
      while (!existsSync(path)) await sleep(5)
      place.comparesErrors = false
      const { stderr, end } = place.run('mkdir /dev/shm/x; exit 7', {
        linux: { seccomp: notifyMkdir(path) },
        process: { noNewPrivileges },
      })
      expect({ end, stderr }).toMatchObject({ end: 7, stderr: expect.stringContaining('No medium found') })
      while (!told.includes('\n')) await sleep(5)
      const [, text = '', count] = /^(.*) (\d)\n$/.exec(told) ?? []
      expect(count).toBe('1')
      expect(JSON.parse(text)).toMatchObject({
        fds: ['seccompFd'],
        metadata: 'for the "agent"',
        pid: expect.any(Number),
        state: { id: place.id, status: 'creating', bundle: place.bundle, pid: expect.any(Number) },
      })
    } finally {
      child.kill('SIGKILL')
    }
  },
)

test('without its agent a container is not created', () => {
  const { stderr, end } = place.run('true', { linux: { seccomp: notifyMkdir('/nonexistent/agent.sock') } })
  expect(end).toBe(1)
  expect(stderr).toContain('failed to connect with seccomp agent')
  expect(place.leftovers()).toEqual([])
})
