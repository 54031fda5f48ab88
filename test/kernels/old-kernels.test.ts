// Containers on kernels that lack newer system calls: what is seen from inside is the same as with them.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, vi } from 'vitest'
import type { Mount } from '../../src/oci/runtime-config.ts'
import { signalCgroup } from '../../src/runtime/cgroup/cgroup.ts'
import { buildTool } from '../c-tool.ts'
import { type ConfigChange, ContainerPlace, type Finished, mapped, userNamespace } from '../container.ts'
import { requires } from '../requirements.ts'

const { test } = requires('root', 'busybox', 'gcc')

/** Numbers from 424 on are the same on every architecture. */
const numbers = {
  pidfd_send_signal: 424,
  open_tree: 428,
  move_mount: 429,
  fsopen: 430,
  fsconfig: 431,
  fsmount: 432,
  pidfd_open: 434,
  clone3: 435,
  close_range: 436,
  openat2: 437,
  pidfd_getfd: 438,
  faccessat2: 439,
  mount_setattr: 442,
} as const
const from = (first: number): readonly number[] => Array.from({ length: 480 - first }, (_, index) => first + index)

const kernels: readonly (readonly [string, readonly number[]])[] = [
  ...Object.entries(numbers).map(([name, number]) => [`without ${name}`, [number]] as const),
  ['without pidfds', [424, 434, 438]],
  ['with the calls of Linux 4.18', from(424)],
  ['with the calls of Linux 5.4', from(436)],
  ['with the calls of Linux 5.10', from(441)],
]

const front = join(import.meta.dirname, '../../dist/bundle-tool')
const tool = join(import.meta.dirname, '../../bin/bundle-tool.js')

const toolPath = buildTool(join(import.meta.dirname, 'without.c'))
let place: ContainerPlace
beforeEach(() => {
  place = new ContainerPlace()
})
afterEach(() => place.close())

const without = (calls: readonly number[]): readonly string[] =>
  calls.length === 0 ? [] : [toolPath(), ...calls.map(String), '--']

/** Everything that a fallback could get wrong, as the container sees it; what is numbered anew each time is left out. */
const look = `
  cut -d' ' -f4- /proc/self/mountinfo | sed 's/:[0-9]*//g' | sort
  sed 's/^[0-9]*://' /proc/self/cgroup | sort
  ls /proc/self/fd; pwd; hostname; cat /data/file /etc/app.conf /up/in /link/file
  touch /data/new 2>&1; touch /etc/app.conf 2>&1; echo more > /up/more && cat /up/more
  cat /proc/uptime | wc -c; ls /sys/firmware /hidden; echo 1 2>&1 > /proc/sys/vm/swappiness
  stat -c '%n %F %a %t:%T' /dev/null /dev/pts /dev/console 2>&1
  grep -E '^(Cap|Groups|Uid|NoNewPrivs)' /proc/self/status; ulimit -n; cat /hooked`

function configure(change: ConfigChange = {}, ...more: readonly Mount[]): void {
  const atime = change === userNamespace ? [] : ['noatime'] // a user namespace may not change it
  const { mounts = [], linux } = place.configure('')
  const data = join(place.directory, 'data')
  mkdirSync(data, { recursive: true })
  writeFileSync(join(data, 'file'), 'bound\n')
  writeFileSync(join(place.directory, 'app.conf'), 'a file\n')
  place.configure(look, {
    ...change,
    config: {
      root: { path: 'rootfs' },
      mounts: [
        ...mounts,
        { destination: '/data', source: data, options: ['rbind', 'ro', 'nosuid', 'noexec', 'rprivate', ...atime] },
        { destination: '/etc/app.conf', source: join(place.directory, 'app.conf'), options: ['bind', 'ro'] },
        { destination: '/up', type: 'tmpfs', options: ['tmpcopyup', 'nodev', 'size=1m'] },
        { destination: '/link', source: data, options: ['bind', 'slave'] },
        ...more,
      ],
      hooks: { createContainer: [{ path: '/bin/sh', args: ['sh', '-c', 'echo by a hook > hooked'] }] },
    },
    linux: { ...linux, ...change.linux, maskedPaths: ['/proc/uptime', '/sys/firmware', '/hidden'] },
  })
  const rootfs = join(place.bundle, 'rootfs')
  for (const name of ['up', 'hidden', 'deep/er']) mkdirSync(join(rootfs, name), { recursive: true })
  writeFileSync(join(rootfs, 'up/in'), 'copied up\n')
  writeFileSync(join(rootfs, 'hidden/secret'), 'secret\n')
  rmSync(join(rootfs, 'link'), { force: true, recursive: true })
  symlinkSync('/deep/er/../../deep/./linked/../made/here', join(rootfs, 'link'))
  mkdirSync(join(rootfs, 'deep/linked'), { recursive: true })
}

/** The same container, with and without the calls. */
function runBoth(calls: readonly number[], change: ConfigChange, ...flags: readonly string[]): readonly Finished[] {
  return [[], calls].map((missing) => {
    configure(change)
    if (change === userNamespace) place.giveRootfsTo(100_000)
    return place.tool(['run', ...flags, '-b', place.bundle, place.id], { under: without(missing) })
  })
}

test.each(kernels)('%s a container looks the same from inside', (_, calls) => {
  const [plain, old] = runBoth(calls, {})
  expect(old).toEqual(plain)
  expect(plain?.stdout).toContain('bound\na file\ncopied up\nbound\n')
  expect(plain?.stdout.split('\n')).toContain('by a hook')
  expect(plain?.stdout).toMatch(/ \/data ro,nosuid,noexec,noatime /)
  expect(place.leftovers()).toEqual([])
})

test('where mounts stay shared with the host, it gets what is mounted in its volume, and nothing else', () => {
  const volume = join(place.directory, 'volume')
  mkdirSync(volume)
  for (const [name, calls] of kernels.filter(([each]) => each.includes('Linux'))) {
    const { mounts = [] } = place.configure('')
    const granted = ['CAP_SYS_ADMIN']
    place.configure('mount -t tmpfs inner /volume/inner', {
      config: { mounts: [...mounts, { destination: '/volume', source: volume, options: ['rbind', 'rshared'] }] },
      process: { capabilities: { bounding: granted, effective: granted, permitted: granted } },
      linux: { rootfsPropagation: 'rshared' },
    })
    const rootfs = join(place.bundle, 'rootfs')
    const look = 'cut -d " " -f 5 /proc/self/mountinfo'
    const host = `mount --bind ${rootfs} ${rootfs}; mount -t tmpfs volume ${volume}; mkdir ${volume}/inner
      mount --make-rshared /; ${look} > ${place.directory}/before; "$@"; ${look} > ${place.directory}/after`
    const under = ['unshare', '--mount', '--propagation', 'private', 'sh', '-e', '-c', host, 'sh', ...without(calls)]
    expect(place.tool(['run', '-b', place.bundle, place.id], { under }), name).toMatchObject({ end: 0, stderr: '' })
    const [before, after] = ['before', 'after'].map((file) => readFileSync(join(place.directory, file), 'utf8'))
    expect(after, name).toBe(`${before}${volume}/inner\n`)
  }
})

test.each(kernels.filter(([name]) => name.includes('Linux')))('%s so does one in a user namespace', (_, calls) => {
  const [plain, old] = runBoth(calls, userNamespace)
  expect(old).toEqual(plain)
  expect(plain?.stdout).toContain('bound\na file\n')
})

test.each(kernels.filter(([name]) => /Linux|pidfd|clone3/.test(name)))(
  '%s containers live and die',
  async (_, calls) => {
    const options = { under: without(calls) }
    configure()
    place.configure('exec sleep 1000')
    expect(place.tool(['create', '-b', place.bundle, place.id], options)).toMatchObject({ end: 0 })
    expect(place.tool(['start', place.id], options)).toMatchObject({ end: 0 })
    expect(place.tool(['exec', place.id, 'sh', '-c', 'ls /proc/self/fd; cat /proc/1/comm'], options)).toMatchObject({
      end: 0,
      stdout: '0\n1\n2\n3\nsleep\n',
    })
    const compare = 'cmp /proc/1/cgroup /proc/self/cgroup'
    expect(place.tool(['exec', place.id, 'sh', '-c', compare], options)).toMatchObject({ end: 0, stdout: '' })
    expect(byFront(calls, 'kill', place.id, 'KILL')).toBe(0)
    await vi.waitFor(() => expect(byFront(calls, 'state', place.id)).toBe(0))
    expect(byFront(calls, 'delete', '--force', place.id)).toBe(0)
    expect(place.leftovers()).toEqual([])
  },
)

/** A command of the tool as engines call it: what its front cannot do goes to Node.js. */
function byFront(calls: readonly number[], ...args: readonly string[]): number | null {
  const [program = front, ...words] = [...without(calls), front, '--root', place.root, ...args]
  return spawnSync(program, words, { stdio: 'ignore' }).status
}

requires('root', 'script').test('with the calls of Linux 4.18 a terminal is the same', () => {
  place.configure(`tty; stat -c '%F %t:%T' /dev/console; grep -c ' /dev/console ' /proc/self/mountinfo`, {
    process: { terminal: true },
  })
  const outputs = [[], from(424)].map((calls) => {
    const words = [...without(calls), process.execPath, tool, '--root', place.root, 'run', '-b', place.bundle, place.id]
    const { stdout } = spawnSync('script', ['-qec', words.join(' '), '/dev/null'], { encoding: 'utf8' })
    return stdout.replaceAll('^@', '') // how a terminal shows what script(1) sends when its own input has ended
  })
  expect(outputs[0]).toBe('/dev/pts/0\r\ncharacter special file 88:0\r\n1\r\n')
  expect(outputs[1]).toBe(outputs[0])
})

test.each([
  ['mount attributes of a whole tree', { options: ['rbind', 'rro'] }],
  ['an ID-mapped mount', { options: ['bind'], uidMappings: mapped, gidMappings: mapped }],
])('with the calls of Linux 4.18 %s is refused by the name of the call', (_, mount) => {
  configure({}, { destination: '/more', source: place.directory, ...mount })
  const { end, stderr } = place.tool(['run', '-b', place.bundle, place.id], { under: without(from(424)) })
  expect(end).toBe(1)
  expect(stderr).toMatch(/mounts\[\d+\].*mount_setattr: function not implemented \(ENOSYS\).*this kernel/)
  expect(place.leftovers()).toEqual([])
})

requires('root', 'busybox', 'gcc', 'slirp4netns').test.each(kernels)(
  '%s a program that is the way to the network starts and ends with the container',
  (_, calls) => {
    place.configure('ip -4 -o addr show eth0 | grep -o 10.0.2.100', {
      config: { annotations: { 'bundle-tool.network': 'slirp4netns' } },
    })
    const under = ['unshare', '--net', ...without(calls)]
    const { end, stdout, stderr } = place.tool(['run', '--keep', '-b', place.bundle, place.id], { under })
    expect({ end, stdout, stderr }).toEqual({ end: 0, stdout: '10.0.2.100\n', stderr: '' })
    const [pid] = readFileSync(join(place.root, place.id, 'keeper'), 'utf8').split(' ')
    const deadline = Date.now() + 5000
    while (existsSync(`/proc/${pid}`) && Date.now() < deadline) spawnSync('sleep', ['0.02'])
    expect(existsSync(`/proc/${pid}`)).toBe(false)
    expect(place.tool(['delete', place.id])).toMatchObject({ end: 0 })
  },
)

test('without cgroup.kill each process of a cgroup is killed', async () => {
  const child = spawn('sleep', ['1000'], { stdio: 'ignore' })
  writeFileSync(join(place.directory, 'cgroup.procs'), `${child.pid}\n`)
  expect(signalCgroup({ '': place.directory }, constants.signals.SIGKILL)).toBe(1)
  expect((await once(child, 'exit'))[1]).toBe('SIGKILL')
})
