import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, onTestFinished } from 'vitest'
import type { Mount } from '../../src/oci/runtime-config.ts'
import { cgroupsNamed } from '../cgroup-directories.ts'
import { ContainerPlace, type Finished } from '../container.ts'
import { requires } from '../requirements.ts'
import { cgroupOf, control, done, mebi, mount, namespaces, pidOf, withLimits } from './cgroup-v2.ts'

const { test } = requires('root', 'busybox', 'cgroup2')

let place: ContainerPlace
beforeEach(() => {
  place = new ContainerPlace()
})
afterEach(async () => {
  await place.close()
  expect(cgroupsNamed(place.id)).toEqual([])
})

const start = (script: string, change: Parameters<ContainerPlace['configure']>[1]): void => {
  place.configure(script, change)
  expect(place.tool(['run', '-d', '-b', place.bundle, place.id])).toMatchObject(done)
}
const tool = (command: string, ...args: readonly string[]): Finished => place.tool([command, place.id, ...args])
const status = (): string => JSON.parse(tool('state').stdout).status

test('create, start, exec, pause, resume, kill and delete, each seen in the cgroup', () => {
  place.configure('exec sleep 1000', withLimits({}))
  expect(place.tool(['create', '-b', place.bundle, place.id])).toMatchObject(done)
  expect(status()).toBe('created')
  expect(control(place, 'cgroup.procs')).toBe(String(pidOf(place)))
  expect(tool('start')).toMatchObject(done)
  expect(status()).toBe('running')

  expect(tool('exec', 'cat', '/proc/self/cgroup').stdout).toBe('0::/\n')
  expect(tool('pause')).toMatchObject(done)
  expect(status()).toBe('paused')
  expect(control(place, 'cgroup.events')).toContain('frozen 1')
  expect(tool('exec', 'true')).toMatchObject({ end: 255 })
  expect(tool('resume')).toMatchObject(done)
  expect(control(place, 'cgroup.events')).toContain('frozen 0')

  expect(tool('kill', 'KILL')).toMatchObject(done)
  expect(place.tool(['delete', '-f', place.id])).toMatchObject(done)
  expect(place.leftovers()).toEqual([])
})

test('with a cgroup namespace the container sees its own cgroup as the root, without one its path', () => {
  const script = 'own=$(sed -n s/^0:://p /proc/self/cgroup); echo $own; cat /sys/fs/cgroup$own/pids.max'
  const limits = withLimits({ pids: { limit: 11 } })
  expect(place.run(script, limits)).toEqual({ ...done, stdout: '/\n11\n' })
  const shared = { ...limits.linux, namespaces: namespaces.filter(({ type }) => type !== 'cgroup') }
  const { end, stdout } = place.run(`${script}; ls /sys/fs/cgroup/pids.max`, { linux: shared })
  expect({ end, stdout }).toEqual({ end: 1, stdout: expect.stringMatching(`^/\\S*${place.id}\n11\n$`) })
})

test('a hierarchy of v1 elsewhere takes nothing away: limits and device rules hold', () => {
  const stray = join(place.directory, 'stray')
  const host = `mkdir ${stray}; mount -t cgroup -o none,name=stray none ${stray}; exec "$@"`
  const under = ['unshare', '--mount', '--propagation', 'private', 'sh', '-e', '-c', host, 'sh']
  const devices = [{ path: '/dev/fuse', type: 'c', major: 10, minor: 229 }] as const
  const script = 'cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory.high; true < /dev/fuse'
  const resources = { memory: { limit: 64 * mebi }, unified: { 'memory.high': String(48 * mebi) } }
  place.configure(script, withLimits(resources, { devices }))
  const { end, stdout, stderr } = place.tool(['run', '-b', place.bundle, place.id], { under })
  expect({ end, stdout }).toEqual({ end: 1, stdout: `${64 * mebi}\n${48 * mebi}\n` })
  expect(stderr).toContain("can't open /dev/fuse: Operation not permitted")
})

test('memory beyond the limit is the end of the process: 137', () => {
  const mounts: readonly Mount[] = [{ destination: '/big', type: 'tmpfs', source: 'tmpfs' }]
  place.configure('', withLimits({ memory: { limit: 32 * mebi, swap: 32 * mebi } }))
  const config = JSON.parse(readFileSync(join(place.bundle, 'config.json'), 'utf8'))
  config.mounts.push(...mounts)
  config.process.args = ['dd', 'if=/dev/zero', 'of=/big/file', 'bs=1M', 'count=60']
  place.write(config)
  expect(place.tool(['run', '--keep', '-b', place.bundle, place.id]).end).toBe(137)
  expect(control(place, 'memory.events')).toMatch(/^oom_kill [1-9]/m)
})

test.each([4096, 65_536])('with a memory limit of %i the error says that init was OOM-killed', (limit) => {
  const { end, stderr } = place.run('true', withLimits({ memory: { limit } }))
  expect({ end, stderr }).toEqual({ end: 1, stderr: expect.stringContaining('container init was OOM-killed') })
  expect(place.leftovers()).toEqual([])
})

test('a process beyond pids.max cannot be forked', () => {
  const script = 'for i in 1 2 3 4 5 6 7 8 9 10 11; do sleep 1000 & done'
  const { end, stderr } = place.run(script, withLimits({ pids: { limit: 8 } }), '--keep')
  expect({ end, stderr }).toMatchObject({ end: 2, stderr: expect.stringContaining("can't fork") })
  expect(control(place, 'pids.events')).toMatch(/^max [1-9]/m)
})

test('CPU time beyond the quota is waited for', () => {
  const script = 'i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done'
  place.run(script, withLimits({ cpu: { quota: 20_000, period: 100_000, shares: 512 } }), '--keep')
  expect(control(place, 'cpu.max')).toBe('20000 100000')
  expect(control(place, 'cpu.weight')).toBe('59')
  expect(Number(/^nr_throttled (\d+)$/m.exec(control(place, 'cpu.stat'))?.[1])).toBeGreaterThan(2)
})

test('a device that no rule allows cannot be opened, whatever its mode', () => {
  // CAP_SYSLOG, so that nothing but the cgroup stands before the kernel's log.
  const script = 'mknod /dev/log c 1 11; mknod /dev/empty c 1 3; echo x > /dev/empty; cat /dev/log'
  const caps = ['CAP_MKNOD', 'CAP_SYSLOG']
  const capabilities = { bounding: caps, effective: caps, permitted: caps }
  const denied = place.run(script, { ...withLimits({}), process: { capabilities } })
  expect(denied).toMatchObject({ end: 1, stderr: expect.stringContaining('/dev/log') })
  expect(denied.stderr).toContain('Operation not permitted')

  const kmsg = { allow: true, type: 'c', major: 1, minor: 11, access: 'r' } as const
  const devices = [{ allow: false, access: 'rwm' }, kmsg]
  const allowed = place.run(script.replace('cat', 'head -c 1'), {
    ...withLimits({ devices }),
    process: { capabilities },
  })
  expect(allowed).toMatchObject({ end: 0 })
})

test('writing to a device beyond io.max is waited for', () => {
  // It is made by scripts/test-vm.mjs.
  const [major = 0, minor = 0] = (/^\s*(\d+)\s+(\d+)\s+\d+ ram0$/m.exec(readFileSync('/proc/partitions', 'utf8')) ?? [])
    .slice(1)
    .map(Number)
  const device = { type: 'b', major, minor } as const
  const limits = withLimits(
    {
      blockIO: { throttleWriteBpsDevice: [{ major, minor, rate: mebi }] },
      devices: [
        { allow: false, access: 'rwm' },
        { ...device, allow: true, access: 'rw' },
      ],
    },
    { devices: [{ ...device, path: '/dev/ram0' }] },
  )
  // Past the page cache, which would be written by whom and whenever it likes.
  const script = 'dd if=/dev/zero of=/dev/ram0 bs=1M count=4 oflag=direct; cat /sys/fs/cgroup/io.stat'
  const begin = performance.now()
  const { end, stdout } = place.run(script, limits, '--keep')
  expect(end).toBe(0)
  expect(control(place, 'io.max')).toBe(`${major}:${minor} rbps=max wbps=${mebi} riops=max wiops=max`)
  expect(Number(/wbytes=(\d+)/.exec(stdout)?.[1])).toBeGreaterThanOrEqual(4 * mebi)
  expect(performance.now() - begin).toBeGreaterThan(3000)
})

test('controllers are enabled all the way down, and directories above the cgroup stay', () => {
  onTestFinished(() => {
    rmdirSync(`${mount}/a/b`)
    rmdirSync(`${mount}/a`)
  })
  const path = `/a/b/${place.id}`
  const { end, stdout } = place.run('cat /sys/fs/cgroup/cgroup.controllers', withLimits({}, { cgroupsPath: path }))
  expect({ end, stdout }).toEqual({ end: 0, stdout: readFileSync(`${mount}/a/b/cgroup.subtree_control`, 'utf8') })
  expect(stdout).toMatch(/cpuset.*memory.*pids/)
})

test('a cgroup with processes, or a frozen one, is refused and left alone', async () => {
  const path = `${mount}/${place.id}`
  mkdirSync(path)
  onTestFinished(() => (existsSync(path) ? rmdirSync(path) : undefined))
  place.configure('true', withLimits({}, { cgroupsPath: `/${place.id}` }))
  const run = (): Finished => place.tool(['run', '-b', place.bundle, place.id])

  const guest = spawn('sleep', ['1000'])
  writeFileSync(`${path}/cgroup.procs`, String(guest.pid))
  expect(run()).toMatchObject({ end: 1, stderr: expect.stringContaining("container's cgroup is not empty") })
  await ended(guest)

  writeFileSync(`${path}/cgroup.freeze`, '1')
  expect(run()).toMatchObject({ end: 1, stderr: expect.stringContaining("container's cgroup unexpectedly frozen") })
  expect(existsSync(path)).toBe(true)
  writeFileSync(`${path}/cgroup.freeze`, '0')
  expect(run()).toMatchObject(done)
})

test('a cgroup in a threaded subtree is refused, and the one that was made for it removed', () => {
  const top = `${mount}/${place.id}.top`
  for (const path of [top, `${top}/threaded`]) mkdirSync(path)
  onTestFinished(() => {
    for (const path of [`${top}/threaded`, top]) rmdirSync(path)
  })
  writeFileSync(`${top}/threaded/cgroup.type`, 'threaded')
  for (const path of ['threaded', 'threaded/below'].map((name) => `/${place.id}.top/${name}`)) {
    place.configure('true', withLimits({}, { cgroupsPath: path }))
    expect(place.tool(['run', '-b', place.bundle, place.id])).toMatchObject({
      end: 1,
      stderr: expect.stringContaining("container's cgroup is in a threaded subtree"),
    })
  }
  expect(existsSync(`${top}/threaded/below`)).toBe(false)
  expect(existsSync(`${top}/threaded`)).toBe(true)
  expect(place.states()).toEqual([])
})

test('a cgroup that hands its controllers on takes no process: exec goes where the first process is', () => {
  start('exec sleep 1000', withLimits({}))
  const own = join(mount, cgroupOf(pidOf(place)))
  mkdirSync(`${own}/inner`)
  writeFileSync(`${own}/inner/cgroup.procs`, String(pidOf(place)))
  writeFileSync(`${own}/cgroup.subtree_control`, '+pids')
  expect(tool('exec', 'cat', '/proc/self/cgroup')).toEqual({ ...done, stdout: '0::/inner\n' })
  expect(tool('exec', 'true')).toMatchObject(done)
})

test('delete removes cgroups that the container has made', () => {
  start('exec sleep 1000', withLimits({}))
  const own = join(mount, cgroupOf(pidOf(place)))
  for (const below of ['x', 'x/y', 'z']) mkdirSync(join(own, below))
  writeFileSync(`${own}/x/y/cgroup.procs`, String(pidOf(place)))
  expect(place.tool(['delete', '-f', place.id])).toMatchObject(done)
  expect(existsSync(own)).toBe(false)
})

test("without a PID namespace, kill ends every process of the container's cgroup", async () => {
  const linux = { namespaces: namespaces.filter(({ type }) => type !== 'pid') }
  start('setsid sleep 1000 & setsid sleep 1000 & exec sleep 1000', withLimits({}, linux))
  const directory = join(mount, cgroupOf(pidOf(place)))
  const processes = (): string => readFileSync(`${directory}/cgroup.procs`, 'utf8')
  expect(tool('kill', 'KILL')).toMatchObject(done)
  await expect.poll(processes, { timeout: 20_000 }).toBe('')
  expect(place.tool(['delete', place.id])).toMatchObject(done)
})

test('update changes limits, and lowering memory below its use is refused when asked to check', () => {
  start('exec sleep 1000', withLimits({ memory: { limit: 64 * mebi }, pids: { limit: 20 } }))
  const update = (resources: object): Finished =>
    place.tool(['update', '-r', '-', place.id], { input: JSON.stringify(resources) })
  expect(update({ memory: { limit: 48 * mebi }, cpu: { quota: 50_000 }, pids: { limit: 30 } })).toMatchObject(done)
  expect(['memory.max', 'cpu.max', 'pids.max'].map((file) => control(place, file))).toEqual([
    String(48 * mebi),
    '50000 100000',
    '30',
  ])
  const refused = update({ memory: { limit: 4096, checkBeforeUpdate: true } })
  expect(refused).toMatchObject({ end: 1, stderr: expect.stringContaining('rejecting memory limit') })
  expect(control(place, 'memory.max')).toBe(String(48 * mebi))
})

test("the root of a user namespace gets the container's cgroup where it may write to it, and only then", () => {
  const mappings = [{ containerID: 0, hostID: 100_000, size: 65_536 }]
  place.giveRootfsTo(100_000)
  const linux = {
    namespaces: [...namespaces, { type: 'user' } as const],
    uidMappings: mappings,
    gidMappings: mappings,
  }
  const make = 'mkdir /sys/fs/cgroup/mine && echo 0 > /sys/fs/cgroup/mine/cgroup.procs && cat /proc/self/cgroup'
  place.configure(make, withLimits({}, linux))
  const config = JSON.parse(readFileSync(join(place.bundle, 'config.json'), 'utf8'))
  const run = (): Finished => place.tool(['run', '-b', place.bundle, place.id])
  place.write(config)
  expect(run().end).not.toBe(0)
  const cgroup = config.mounts.find((entry: Mount) => entry.destination === mount)
  cgroup.options = cgroup.options.filter((option: string) => option !== 'ro')
  place.write(config)
  expect(run()).toEqual({ ...done, stdout: '0::/mine\n' })
})

async function ended(child: ChildProcess): Promise<void> {
  const exit = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await exit
}
