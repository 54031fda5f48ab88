import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, rmdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect } from 'vitest'
import { readHostFacts } from '../../src/host/facts.ts'
import type { Namespace } from '../../src/oci/runtime-config.ts'
import { engine, tool } from '../command-line.ts'
import { type ConfigChange, ContainerPlace } from '../container.ts'
import { requires } from '../requirements.ts'

const { test } = requires('root', 'busybox')

let place: ContainerPlace
beforeEach(() => {
  place = new ContainerPlace()
})
afterEach(() => place.close())

const without = (type: Namespace['type'], ...added: readonly Namespace[]): readonly Namespace[] => [
  ...(['pid', 'network', 'ipc', 'uts', 'mount'] as const)
    .filter((name) => name !== type)
    .map((name) => ({ type: name })),
  ...added,
]
const hostPids = { linux: { namespaces: without('pid') } }

test.each([
  ['exit 0', 0],
  ['exit 7', 7],
  ['exit 255', 255],
  ['kill -TERM $$', 143],
  ['kill -KILL $$', 137],
  ['kill -USR1 $$', 138],
])('`%s` ends the tool with %i, and nothing is left', (script, code) => {
  expect(place.run(script, hostPids)).toEqual({ end: code, stdout: '', stderr: '' })
  expect(place.leftovers()).toEqual([])
})

test('what goes in comes out, all of it', () => {
  const input = 'line of some length\n'.repeat(100_000)
  place.configure('cat; echo "on stderr" >&2')
  const { end, stdout, stderr } = place.tool(['run', '-b', place.bundle, place.id], { input })
  expect(end).toBe(0)
  expect(stdout === input).toBe(true)
  expect(stderr).toBe('on stderr\n')
})

test('the bundle may be the first word, and is the current directory by default', () => {
  place.configure('echo here')
  expect(place.tool(['run', place.bundle, place.id]).stdout).toBe('here\n')
  expect(place.tool(['run', place.id], { cwd: place.bundle }).stdout).toBe('here\n')
})

test.each(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1'] as const)(
  '%s to the tool reaches the container',
  async (signal) => {
    place.configure(`trap 'echo got; exit 9' ${signal.slice(3)}; echo ready; while :; do sleep 0.05; done`)
    const child = place.start(['run', '-b', place.bundle, place.id])
    const output: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => {
      output.push(chunk)
      if (chunk.toString().includes('ready')) child.kill(signal)
    })
    const [code] = await once(child, 'close')
    expect(Buffer.concat(output).toString()).toBe('ready\ngot\n')
    expect(code).toBe(9)
  },
)

test('the container has 0, 1 and 2 open and nothing else', () => {
  const open = place
    .run('exec ls -l /proc/self/fd')
    .stdout.split('\n')
    .filter((line) => line.includes(' -> '))
  const own = open.filter((line) => !line.endsWith(' -> /proc/1/fd')) // the directory that ls reads
  expect(own.map((line) => / (\d+) ->/.exec(line)?.[1])).toEqual(['0', '1', '2'])
})

test('--preserve-fds passes descriptors on', () => {
  place.configure('cat <&3')
  const run = `exec "$@" run --preserve-fds 1 -b ${place.bundle} ${place.id} 3<${join(place.directory, 'third')}`
  writeFileSync(join(place.directory, 'third'), 'the third\n')
  const child = spawn('/bin/sh', ['-c', run, 'sh', engine, tool, '--root', place.root])
  return expect(text(child)).resolves.toBe('the third\n')
})

async function text(child: ChildProcess): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of child.stdout ?? []) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

test('the default container is what its config.json says', () => {
  const { stdout } = place.run(
    'hostname; id -u; pwd; ls -A /proc/self/root/sys >/dev/null && grep -E "^(Cap|NoNew)" /proc/self/status; ulimit -n; ulimit -Hn',
  )
  const granted = '0000000020000420'
  expect(stdout.split('\n')).toEqual([
    'runc',
    '0',
    '/',
    'CapInh:\t0000000000000000',
    `CapPrm:\t${granted}`,
    `CapEff:\t${granted}`,
    `CapBnd:\t${granted}`,
    'CapAmb:\t0000000000000000',
    'NoNewPrivs:\t1',
    '1024',
    '1024',
    '',
  ])
})

test('the process is the only one in its pid namespace, and leads its session', () => {
  expect(place.run('echo /proc/[0-9]*; exec cut -d" " -f1,5,6 /proc/1/stat').stdout).toBe('/proc/1\n1 1 1\n')
})

test('/dev has its devices and links, and nothing of the host', () => {
  const { stdout } = place.run(
    'cd /dev; for f in *; do stat -c "%n %t:%T %a" $f; done; for f in fd stdin ptmx; do readlink $f; done; echo x > null',
  )
  for (const line of [
    'null 1:3 666',
    'zero 1:5 666',
    'full 1:7 666',
    'tty 5:0 666',
    'random 1:8 666',
    'urandom 1:9 666',
  ]) {
    expect(stdout).toContain(`${line}\n`)
  }
  expect(stdout.split('\n').slice(-4, -1)).toEqual(['/proc/self/fd', '/proc/self/fd/0', 'pts/ptmx'])
  expect(stdout).not.toMatch(/^(mem|sda|vda|kmsg) /m)
})

test('masked paths are hidden, read-only paths and the root are read-only', () => {
  const script = 'wc -c < /proc/keys; ls /sys/firmware | wc -l; echo 1 > /proc/sys/kernel/domainname; touch /file'
  const { stdout, stderr } = place.run(script)
  expect(stdout).toBe('0\n0\n')
  expect(stderr.match(/Read-only file system/g)).toHaveLength(2)
})

test('user, groups, umask, environment and working directory are the configured ones', () => {
  const { stdout, stderr } = place.run('id; umask; pwd; env; cat /proc/self/oom_score_adj', {
    config: { root: { path: 'rootfs' } },
    process: {
      user: { uid: 1000, gid: 100, additionalGids: [5, 65534], umask: 0o27 },
      cwd: '/work/made/for/it',
      env: ['PATH=/bin', 'A=1', 'A=2', 'HOME='],
      oomScoreAdj: 500,
      capabilities: {},
    },
  })
  expect(stderr).toBe('')
  expect(stdout).toContain('uid=1000 gid=100 groups=5,65534')
  const lines = stdout.split('\n')
  expect(lines.slice(1, 3)).toEqual(['0027', '/work/made/for/it'])
  expect(lines.filter((line) => /^(A|HOME)=/.test(line)).sort()).toEqual(['A=2', 'HOME=/'])
  expect(lines.at(-2)).toBe('500')
})

test('mounts are made in order, with their flags, and a bind of a file makes its place', () => {
  writeFileSync(join(place.directory, 'file'), 'content\n')
  mkdirSync(join(place.directory, 'data'))
  place.configure('cat /etc/deep/file; grep -E " (/etc/deep/file|/data|/data/tmp) " /proc/self/mountinfo', {
    config: {
      root: { path: 'rootfs' },
      mounts: [
        { destination: '/proc', type: 'proc', source: 'proc' },
        { destination: '/etc/deep/file', source: join(place.directory, 'file'), options: ['bind', 'ro'] },
        { destination: '/data', source: '../data', options: ['rbind', 'nosuid', 'nodev', 'rslave'] },
        { destination: '/data/tmp', type: 'tmpfs', source: 'scratch', options: ['noexec', 'size=64k', 'mode=0700'] },
      ],
    },
  })
  const { stdout, stderr } = place.tool(['run', '-b', place.bundle, place.id])
  expect(stderr).toBe('')
  const [content, file, data, tmp] = stdout.split('\n')
  expect(content).toBe('content')
  expect(file).toMatch(/ \/etc\/deep\/file ro,/)
  expect(data).toMatch(/ \/data rw,nosuid,nodev,/)
  expect(tmp).toMatch(/ \/data\/tmp rw,noexec.* - tmpfs scratch rw,size=64k,mode=700/)
  expect(existsSync(join(place.directory, 'data/tmp'))).toBe(true)
})

test('a link in the rootfs leads a mount no further than the root', () => {
  symlinkSync('/../../../../..', join(place.bundle, 'rootfs/out'))
  symlinkSync('/etc/not-there', join(place.bundle, 'rootfs/dangling'))
  const tmpfs = { type: 'tmpfs', source: 'tmpfs' }
  const { end, stdout } = place.run('ls -d /escape/x /etc/not-there', {
    config: {
      root: { path: 'rootfs' },
      mounts: [
        { destination: '/out/escape/x', ...tmpfs },
        { destination: '/dangling', ...tmpfs },
      ],
    },
    linux: { maskedPaths: [], readonlyPaths: [] },
  })
  expect({ end, stdout }).toEqual({ end: 0, stdout: '/escape/x\n/etc/not-there\n' })
  expect(existsSync('/escape')).toBe(false)
})

test.each(['proc', 'sys'])('a rootfs whose /%s is a link is refused', (name) => {
  symlinkSync('/tmp', join(place.bundle, 'rootfs', name))
  const { end, stderr } = place.run('exit 0')
  expect(end).not.toBe(0)
  expect(stderr).toContain(`/${name}`)
  expect(place.leftovers()).toEqual([])
})

test.each([
  ['no-such-command', 'executable file not found in $PATH'],
  ['/bin/no-such', 'no such file or directory'],
  ['/proc', 'permission denied'],
])('the command "%s" fails the run before anything starts: %s', (command, message) => {
  const { end, stderr } = place.run('', { process: { args: [command] } })
  expect(end).not.toBe(0)
  expect(stderr).toContain(message)
  expect(stderr).toContain(command)
  expect(place.leftovers()).toEqual([])
})

test('processes that the command leaves behind end with it, without a pid namespace too', () => {
  expect(place.run('sleep 1000 & sleep 1000 & exit 4', hostPids).end).toBe(4)
  expect(place.leftovers()).toEqual([])
})

const facts = readHostFacts()
const hierarchies = facts.cgroups.hierarchies
const limited = requires('root', 'busybox', 'cgroup1')

limited.test('limits stand in the cgroup of the container, and it sees itself in there', () => {
  const path = `/bundle-tool-test/${place.id}`
  const { stdout, stderr } = place.run(
    'cat /proc/self/cgroup; cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes pids/pids.max cpu/cpu.shares',
    {
      linux: {
        cgroupsPath: path,
        resources: { memory: { limit: 67108864 }, pids: { limit: 32 }, cpu: { shares: 512 } },
      },
    },
  )
  expect(stderr).toBe('')
  const lines = stdout.split('\n')
  expect(lines.slice(-4, -1)).toEqual(['67108864', '32', '512'])
  expect(lines.filter((line) => line.endsWith(`:${path}`))).toHaveLength(hierarchies.length)
  expect(place.leftovers()).toEqual([])
  for (const { mountPoint } of hierarchies) rmdirSync(`${mountPoint}/bundle-tool-test`)
})

limited.test('a cgroup with processes is refused, and they live on', async () => {
  const cgroup = `/sys/fs/cgroup/pids/${place.id}`
  mkdirSync(cgroup)
  const child = spawn('sleep', ['1000'], { stdio: 'ignore' })
  writeFileSync(join(cgroup, 'cgroup.procs'), String(child.pid))
  const { end, stderr } = place.run('exit 0')
  expect(end).not.toBe(0)
  expect(stderr).toContain("container's cgroup is not empty")
  expect(child.exitCode).toBe(null)
  expect(readFileSync(join(cgroup, 'cgroup.procs'), 'utf8')).toBe(`${child.pid}\n`)
  expect(place.leftovers()).toEqual([cgroup])
  child.kill('SIGKILL')
  await once(child, 'exit')
  rmdirSync(cgroup)
})

test("sysctls of the container's namespaces are set, and the host keeps its own", () => {
  const host = readFileSync('/proc/sys/kernel/shmmax', 'utf8')
  const { stdout } = place.run('cat /proc/sys/kernel/shmmax /proc/sys/net/ipv4/ip_default_ttl', {
    linux: { sysctl: { 'kernel.shmmax': '123456', 'net.ipv4.ip_default_ttl': '77' } },
  })
  expect(stdout).toBe('123456\n77\n')
  expect(readFileSync('/proc/sys/kernel/shmmax', 'utf8')).toBe(host)
})

test('a command is executable for a user whose capabilities say so, as the kernel has it', () => {
  const file = join(place.bundle, 'rootfs/command')
  writeFileSync(file, '#!/bin/sh\necho ran\n', { mode: 0o700 })
  const names = ['CAP_DAC_OVERRIDE']
  const as1000 = (granted: readonly string[]): ConfigChange => ({
    process: {
      args: ['/command'],
      user: { uid: 1000, gid: 1000 },
      capabilities: {
        bounding: granted,
        effective: granted,
        inheritable: granted,
        permitted: granted,
        ambient: granted,
      },
    },
  })
  expect(place.run('', as1000([])).stderr).toContain('exec: \\"/command\\": permission denied')
  expect(place.run('', as1000(names)).stdout).toBe('ran\n')
})

test('two containers of one bundle do not share an id', () => {
  place.configure('exec sleep 1000')
  expect(place.tool(['run', '-d', '-b', place.bundle, place.id])).toMatchObject({ end: 0, stderr: '' })
  const { end, stderr } = place.tool(['run', '-d', '-b', place.bundle, place.id])
  expect(end).not.toBe(0)
  expect(stderr).toContain('container with given ID already exists')
  expect(JSON.parse(place.tool(['state', place.id]).stdout)).toMatchObject({ status: 'running' })
})

test.each([[], ['-d']])(
  'a pid file whose name is taken by a directory fails before the command begins (%j)',
  (...flags) => {
    const directory = join(place.directory, 'taken')
    mkdirSync(directory)
    place.configure('echo done > /proof; echo printed')
    const { end, stdout, stderr } = place.tool(['run', ...flags, '--pid-file', directory, '-b', place.bundle, place.id])
    expect({ end, stdout }).toEqual({ end: 1, stdout: '' })
    expect(stderr).toContain(`--pid-file (${directory}): unlinkat: illegal operation on a directory`)
    expect(existsSync(join(place.bundle, 'rootfs/proof'))).toBe(false)
    expect(place.leftovers()).toEqual([])
  },
)
