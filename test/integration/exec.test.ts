import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { openSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, vi } from 'vitest'
import { engine, tool } from '../command-line.ts'
import { ContainerPlace, type Finished } from '../container.ts'
import { withControllingTerminal } from '../controlling-terminal.ts'
import { takeDescriptor } from '../descriptor-taker.ts'
import { requires } from '../requirements.ts'

const { test } = requires('root', 'busybox', 'python3')

let place: ContainerPlace
beforeAll(() => {
  place = new ContainerPlace()
  place.configure('exec sleep 1000', { config: { root: { path: 'rootfs' } } })
  expect(place.tool(['run', '-d', '-b', place.bundle, place.id])).toMatchObject({ end: 0, stderr: '' })
})
afterAll(() => place.close())

const exec = (flags: readonly string[], ...command: readonly string[]): Finished =>
  place.tool(['exec', ...flags, place.id, ...command])
/** The output of a script that is run with these flags, and must end well. */
const see = (flags: readonly string[], script: string): string => {
  const { end, stdout, stderr } = exec(flags, 'sh', '-c', script)
  expect({ end, stderr }).toEqual({ end: 0, stderr: '' })
  return stdout
}

test('without flags it is as the first process is: user, directory, environment, namespaces, root', () => {
  const look = 'id -u; pwd; echo $PATH; for n in mnt pid net ipc uts; do readlink /proc/self/ns/$n; done; ls -di /'
  const first = readFileSync(`/proc/${JSON.parse(place.tool(['state', place.id]).stdout).pid}/environ`, 'utf8')
  const { pid } = JSON.parse(place.tool(['state', place.id]).stdout)
  const lines = see([], look).trim().split('\n')
  expect(lines.slice(0, 2)).toEqual(['0', '/'])
  expect(first).toContain(`PATH=${lines[2]}\0`)
  expect(lines.slice(3, 8)).toEqual(
    ['mnt', 'pid', 'net', 'ipc', 'uts'].map((name) => readlinkSync(`/proc/${pid}/ns/${name}`)),
  )
})

test('it exits as the command does: code, signal, 255 where there is none to run', () => {
  expect(exec([], 'sh', '-c', 'exit 42').end).toBe(42)
  expect(exec([], 'sh', '-c', 'kill -TERM $$').end).toBe(143)
  const { end, stderr } = exec([], 'nothing')
  expect({ end, stderr }).toEqual({
    end: 255,
    stderr: expect.stringContaining('nothing\\": executable file not found in $PATH'),
  })
})

test('what follows the ID is the command, flags too', () => {
  expect(exec([], 'echo', '-t', '--user', '5').stdout).toBe('-t --user 5\n')
})

test.each([['-t'], ['--tty']])('%s: a terminal, the controlling one', (flag) => {
  const command = ['sh', '-c', 'tty; tty </dev/tty; readlink /proc/$$/fd/2']
  const { stdout, end } = place.tool(['exec', flag, place.id, ...command], { under: withControllingTerminal })
  expect({ end, stdout }).toEqual({ end: 0, stdout: expect.stringMatching(/^(\/dev\/pts\/\d+)\n\/dev\/tty\n\1\n$/) })
})

test.each([['-d'], ['--detach']])('%s and --pid-file: the process goes on, and is told', async (flag) => {
  const file = join(place.directory, `pid${flag}`)
  expect(exec([flag, '--pid-file', file], 'sleep', '1000')).toMatchObject({ end: 0, stdout: '' })
  const pid = Number(readFileSync(file, 'utf8'))
  await vi.waitFor(() => expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).toBe('sleep\x001000\0'))
  process.kill(pid, 'SIGKILL')
})

test('a socket on which nobody listens fails it, and no pid file is left', () => {
  const before = readdirSync(place.directory)
  const { end, stderr } = exec(['--pidfd-socket', 'nobody-listens', '--pid-file', 'pid'], 'true')
  expect({ end, stderr }).toEqual({ end: 255, stderr: expect.stringContaining('nobody-listens') })
  expect(readdirSync(place.directory)).toEqual(before)
})

test.each([
  ['-u', '1000', '1000 0'],
  ['--user', '1000:1001', '1000 1001'],
  ['-u', '4294967294:7', '4294967294 7'],
])('%s %s: the user, and the group', (flag, value, shown) => {
  expect(see([flag, value], 'echo $(grep -E "^(Uid|Gid)" /proc/self/status | cut -f 2)')).toBe(`${shown}\n`)
})

test('-u "" is as good as no -u', () => {
  expect(exec(['--user='], 'id').stdout).toBe(exec([], 'id').stdout)
})

test.each([':', 'root', '1:', ':1', '-1', '1:2:3', '0x1', '4294967296', ' 1'])('-u %j is refused', (value) => {
  expect(exec([`--user=${value}`], 'id').end).not.toBe(0)
  expect(exec([`--user=${value}`], 'id').stdout).toBe('')
})

test('-g and --additional-gids: groups besides', () => {
  expect(see(['-g', '7', '--additional-gids', '8'], 'grep Groups /proc/self/status')).toBe('Groups:\t7 8 \n')
})

test('-e and --env: after the container’s own', () => {
  expect(see(['-e', 'A=1', '--env', 'B=x y', '-e', 'A=2'], 'echo $A $B')).toBe('2 x y\n')
  expect(exec(['-e', 'NOTHING'], 'env')).toMatchObject({ end: 255, stdout: '' })
})

test('--cwd', () => {
  expect(see(['--cwd', '/proc/sys'], 'pwd')).toBe('/proc/sys\n')
  expect(exec(['--cwd', 'relative'], 'pwd').end).not.toBe(0)
})

test('-c and --cap: capabilities besides, none of them inheritable', () => {
  const caps = 'grep -E "^Cap(Inh|Bnd|Amb)" /proc/self/status'
  const [inherited, before] = see([], caps).split('\n')
  const [inheritable, bounding] = see(['-c', 'CAP_SYS_ADMIN', '--cap', 'CAP_SYS_TIME'], caps).split('\n')
  expect(inheritable).toBe(inherited)
  const added = (1n << 21n) | (1n << 25n)
  expect(BigInt(`0x${bounding?.split('\t')[1]}`)).toBe(BigInt(`0x${before?.split('\t')[1]}`) | added)
})

test('--no-new-privs: where the container may gain privileges', () => {
  const own = new ContainerPlace()
  own.configure('exec sleep 1000', { process: { noNewPrivileges: false } })
  own.tool(['run', '-d', '-b', own.bundle, own.id])
  const show = (...flags: readonly string[]): string =>
    own.tool(['exec', ...flags, own.id, 'grep', 'NoNewPrivs', '/proc/self/status']).stdout
  expect([show(), show('--no-new-privs')]).toEqual(['NoNewPrivs:\t0\n', 'NoNewPrivs:\t1\n'])
  own.tool(['delete', '-f', own.id])
  return own.close()
})

test.each([['-p'], ['--process']])('%s: the whole process, and nothing of the container’s', (flag) => {
  const file = join(place.directory, 'process.json')
  const user = { uid: 5, gid: 6, additionalGids: [7], umask: 0o77 }
  const args = ['/bin/sh', '-c', 'id -u; id -g; umask; pwd; echo $A $PATH; ulimit -n']
  const rlimits = [{ type: 'RLIMIT_NOFILE', soft: 33, hard: 44 }]
  writeFileSync(file, JSON.stringify({ args, env: ['A=b', 'PATH=/bin'], cwd: '/dev', user, rlimits }))
  expect(exec([flag, file]).stdout).toBe('5\n6\n0077\n/dev\nb /bin\n33\n')
})

test('--preserve-fds: descriptors from 3 on, and no others', () => {
  const file = join(place.directory, 'three')
  writeFileSync(file, 'from three')
  const run = (count: string) =>
    spawnSync(
      engine,
      [tool, '--root', place.root, 'exec', '--preserve-fds', count, place.id, 'sh', '-c', 'ls /proc/$$/fd; cat <&3'],
      {
        stdio: ['ignore', 'pipe', 'pipe', openSync(file, 'r'), openSync(file, 'r')],
        encoding: 'utf8',
      },
    )
  expect(run('1').stdout).toMatch(/^0\n1\n2\n3\n(10\n)?from three$/)
  expect(run('0').stdout).not.toContain('from three')
})

requires('no-security-module').test('--process-label and --apparmor: refused without such a module', () => {
  for (const flag of ['--process-label', '--apparmor']) {
    const { end, stderr } = exec([flag, 'x'], 'true')
    expect({ end, stderr }).toMatchObject({ end: 255, stderr: expect.stringMatching(/SELinux|AppArmor/) })
  }
})

test('a container that is not there, not started, or stopped has no further processes', () => {
  const own = new ContainerPlace()
  own.configure('true')
  const said = (): string => own.tool(['exec', own.id, 'true']).stderr
  expect(said()).toContain('container does not exist')
  own.tool(['create', '-b', own.bundle, own.id])
  expect(own.tool(['exec', own.id, 'echo', 'ran']).stdout).toBe('ran\n') // one that is created has
  own.tool(['kill', own.id, 'KILL'])
  expect(said()).toContain('cannot exec in a stopped container')
  own.tool(['delete', '-f', own.id])
  return own.close()
})

/** Tells if the descriptor is a terminal, and the process of a pidfd. */
const kindOfDescriptor =
  "os.isatty(fds[0]), (re.search(r'Pid:\\s+(\\d+)', open(f'/proc/self/fdinfo/{fds[0]}').read()) or [0, None])[1]"

test.each([
  ['--console-socket', ['-t', '-d'], () => 'True None'],
  ['--pidfd-socket', ['-d'], (pid: string) => `False ${pid}`],
])('%s: gets the terminal, or a descriptor of the process', async (flag, more, shown) => {
  const [path, file] = [join(place.directory, `${flag}.sock`), join(place.directory, `${flag}.pid`)]
  const { child, said } = await takeDescriptor(path, kindOfDescriptor)
  try {
    expect(exec([...more, flag, path, '--pid-file', file], 'sleep', '1000')).toMatchObject({ end: 0, stderr: '' })
    await once(child, 'exit')
    expect(said()).toBe(`listening\n${shown(readFileSync(file, 'utf8'))}\n`)
  } finally {
    child.kill('SIGKILL')
  }
})
