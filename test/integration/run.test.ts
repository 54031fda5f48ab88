import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, rmdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect } from 'vitest'
import { readHostFacts } from '../../src/host/facts.ts'
import type { Namespace, RuntimeConfig } from '../../src/oci/runtime-config.ts'
import { type ConfigChange, ContainerPlace } from '../container.ts'
import { requires } from '../requirements.ts'

const { test } = requires('root', 'busybox')
const toolPath = join(import.meta.dirname, '../../bin/bundle-tool.js')

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
  const tool = join(import.meta.dirname, '../../bin/bundle-tool.js')
  const child = spawn('/bin/sh', ['-c', run, 'sh', process.execPath, tool, '--root', place.root])
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

test('a user namespace maps root to the given id', () => {
  place.giveRootfsTo(100_000)
  const mapped = { containerID: 0, hostID: 100_000, size: 65_536 }
  const { end, stdout, stderr } = place.run(
    'id -u; cat /proc/self/uid_map; echo x > /dev/null; stat -c %u /proc/1 /tmpfs',
    {
      config: {
        root: { path: 'rootfs' },
        mounts: [
          { destination: '/proc', type: 'proc', source: 'proc' },
          { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['mode=755'] },
          { destination: '/tmpfs', type: 'tmpfs', source: 'tmpfs' },
        ],
      },
      linux: {
        namespaces: [...without('user'), { type: 'user' }],
        uidMappings: [mapped],
        gidMappings: [mapped],
        maskedPaths: [],
        readonlyPaths: [],
      },
    },
  )
  expect({ end, stderr }).toEqual({ end: 0, stderr: '' })
  expect(stdout.replace(/ +/g, ' ')).toBe('0\n 0 100000 65536\n0\n0\n')
})

test('a bind keeps the locked flags of its source in a user namespace', () => {
  place.giveRootfsTo(100_000)
  const mapped = { containerID: 0, hostID: 100_000, size: 65_536 }
  const { end, stdout, stderr } = place.run('grep " /host-shm " /proc/self/mountinfo', {
    config: {
      root: { path: 'rootfs' },
      mounts: [
        { destination: '/proc', type: 'proc', source: 'proc' },
        { destination: '/host-shm', source: '/sys', options: ['rbind', 'ro'] },
      ],
    },
    linux: {
      namespaces: [...without('user'), { type: 'user' }],
      uidMappings: [mapped],
      gidMappings: [mapped],
      maskedPaths: [],
      readonlyPaths: [],
    },
  })
  expect({ end, stderr }).toEqual({ end: 0, stderr: '' })
  expect(stdout).toMatch(/ \/host-shm ro,/)
})

test('namespaces of another container are joined by path, its user namespace too', async () => {
  place.giveRootfsTo(100_000)
  const mapped = { containerID: 0, hostID: 100_000, size: 65_536 }
  const linux = {
    namespaces: [...without('user'), { type: 'user' as const }],
    uidMappings: [mapped],
    gidMappings: [mapped],
    maskedPaths: [],
    readonlyPaths: [],
  }
  const config: Partial<RuntimeConfig> = {
    root: { path: 'rootfs' },
    mounts: [{ destination: '/proc', type: 'proc', source: 'proc' }],
  }
  place.configure('exec sleep 1000', { config: { ...config, hostname: 'first' }, linux })
  const pidFile = join(place.directory, 'pid')
  expect(place.tool(['run', '-d', '--pid-file', pidFile, '-b', place.bundle, place.id])).toMatchObject({
    end: 0,
    stderr: '',
  })
  const pid = readFileSync(pidFile, 'utf8')
  const names = { user: 'user', ipc: 'ipc', uts: 'uts', network: 'net', pid: 'pid' } as const
  const joined = Object.entries(names).map(([type, file]) => ({
    type: type as keyof typeof names,
    path: `/proc/${pid}/ns/${file}`,
  }))
  const { hostname: _, ...unnamed } = place.configure(
    'hostname; for n in user ipc uts net pid; do readlink /proc/self/ns/$n; done; ps | grep -c "sleep 1000"',
    { config, linux: { ...linux, namespaces: [{ type: 'mount' }, ...joined], uidMappings: [], gidMappings: [] } },
  )
  place.write(unnamed)
  const second = `${place.id}-second`
  const { end, stdout, stderr } = place.tool(['run', '-b', place.bundle, second])
  expect({ end, stderr }).toEqual({ end: 0, stderr: '' })
  const lines = stdout.trim().split('\n')
  expect(lines[0]).toBe('first')
  expect(Number(lines.at(-1))).toBeGreaterThan(0)
})

test("sysctls of the container's namespaces are set, and the host keeps its own", () => {
  const host = readFileSync('/proc/sys/kernel/shmmax', 'utf8')
  const { stdout } = place.run('cat /proc/sys/kernel/shmmax /proc/sys/net/ipv4/ip_default_ttl', {
    linux: { sysctl: { 'kernel.shmmax': '123456', 'net.ipv4.ip_default_ttl': '77' } },
  })
  expect(stdout).toBe('123456\n77\n')
  expect(readFileSync('/proc/sys/kernel/shmmax', 'utf8')).toBe(host)
})

test('--no-pivot and a container without a mount namespace see the rootfs as their root', () => {
  expect(place.run('ls -d /bin/busybox; echo /proc/[0-9]*', {}, '--no-pivot').stdout).toBe('/bin/busybox\n/proc/1\n')
  const { stdout } = place.run('ls /', {
    config: { mounts: [], root: { path: 'rootfs' } },
    linux: { namespaces: without('mount'), maskedPaths: [], readonlyPaths: [] },
  })
  expect(stdout).toContain('bin\n')
  expect(place.leftovers()).toEqual([])
})

test('rootfsPropagation shared makes the root a shared mount', () => {
  const { stdout } = place.run('grep " / / " /proc/self/mountinfo || grep -E " / (rw|ro)" /proc/self/mountinfo', {
    linux: { rootfsPropagation: 'shared' },
  })
  expect(stdout).toContain(' shared:')
})

test.each([
  ['slave', ' master:', []],
  ['private', ' - ', []],
  [undefined, ' - ', []],
  ['slave', ' master:', ['--no-pivot']],
] as const)(
  'rootfsPropagation %s holds where every mount of the host is shared (%s, %j)',
  (rootfsPropagation, tag, flags) => {
    place.configure('awk \'$5 == "/"\' /proc/self/mountinfo', { linux: { rootfsPropagation } })
    const show = 'cut -d " " -f 5 /proc/self/mountinfo'
    const command = `mount --make-rshared / && ${show} > ${place.directory}/before; "$@" 2>&1; ${show} > ${place.directory}/after`
    const run = [process.execPath, toolPath, '--root', place.root, 'run', ...flags, '-b', place.bundle, place.id]
    const { stdout } = spawnSync('unshare', ['-m', 'sh', '-c', `mount -t tmpfs none /mnt; ${command}`, 'sh', ...run], {
      encoding: 'utf8',
    })
    expect(stdout).toContain(tag)
    expect(stdout).not.toContain('shared:')
    const [before, after] = ['before', 'after'].map((name) => readFileSync(join(place.directory, name), 'utf8'))
    expect(after).toBe(before)
    expect(place.leftovers()).toEqual([])
  },
)

const pivots = [[], ['--no-pivot']] as const
test.each(
  (
    [
      [undefined, false],
      ['slave', true],
      ['rslave', false],
      ['shared', true],
      ['rshared', true],
      ['unbindable', true],
      ['runbindable', false],
    ] as const
  ).flatMap(([value, isThere]) => pivots.map((flags) => [value, isThere, flags] as const)),
)('rootfsPropagation %s: what is mounted in a volume is on the host, too: %s (%j)', (value, isThere, flags) => {
  expectOnHost(value, isThere ? ['/volume/inner'] : [], flags)
})

test.each([
  ['private', true],
  ['rprivate', false],
] as const)('rootfsPropagation %s: what is mounted in a volume is on the host, too: %s', (value, isThere) => {
  expectOnHost(value, isThere ? ['/volume/inner'] : [], [])
  expect(place.run('true', { linux: { rootfsPropagation: value } }, '--no-pivot')).toMatchObject({
    end: 1,
    stderr: expect.stringContaining('/linux/rootfsPropagation'),
  })
})

/** Expects that on a host with shared mounts, of which the rootfs is one, no mount is gone and these alone are new. */
function expectOnHost(
  rootfsPropagation: string | undefined,
  expected: readonly string[],
  flags: readonly string[],
): void {
  const volume = join(place.directory, 'volume')
  mkdirSync(volume)
  const { mounts = [] } = place.configure('')
  const granted = ['CAP_SYS_ADMIN']
  place.configure('mount -t tmpfs inner /volume/inner && mount -t tmpfs inner /tmp', {
    config: { mounts: [...mounts, { destination: '/volume', source: volume, options: ['rbind'] }] },
    process: { capabilities: { bounding: granted, effective: granted, permitted: granted } },
    linux: { rootfsPropagation },
  })
  mkdirSync(join(place.bundle, 'rootfs/tmp'))
  const rootfs = join(place.bundle, 'rootfs')
  const look = 'cut -d " " -f 5 /proc/self/mountinfo'
  const host = `mount --bind ${rootfs} ${rootfs}; mount -t tmpfs volume ${volume}; mkdir ${volume}/inner
    mount --make-rshared /; ${look} > ${place.directory}/before; "$@"; ${look} > ${place.directory}/after`
  const under = ['unshare', '--mount', '--propagation', 'private', 'sh', '-e', '-c', host, 'sh']
  expect(place.tool(['run', ...flags, '-b', place.bundle, place.id], { under })).toMatchObject({ end: 0, stderr: '' })
  const [before = [], after = []] = ['before', 'after'].map((name) =>
    readFileSync(join(place.directory, name), 'utf8').split('\n'),
  )
  expect(before.filter((path) => !after.includes(path))).toEqual([])
  expect(after.filter((path) => !before.includes(path))).toEqual(expected.map((path) => `${place.directory}${path}`))
  expect(place.leftovers()).toEqual([])
}

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
