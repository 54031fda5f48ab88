import { execFileSync, spawnSync } from 'node:child_process'
import { chownSync, existsSync, mkdirSync, readFileSync, rmdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, vi } from 'vitest'
import { defaultConfig } from '../../src/bundle/default-config.ts'
import type { RuntimeConfig } from '../../src/oci/runtime-config.ts'
import { engine, tool } from '../command-line.ts'
import { ContainerPlace, type Finished } from '../container.ts'
import { requires } from '../requirements.ts'

const { test } = requires('root', 'busybox')
const { test: onV1 } = requires('root', 'busybox', 'cgroup1')

/** Somebody without a name, a home or any right. */
const uid = 54_321

let place: ContainerPlace
beforeEach(() => {
  place = new ContainerPlace()
  mkdirSync(place.root)
  execFileSync('chown', ['-R', `${uid}:${uid}`, place.directory])
})
afterEach(() => place.close())

function configure(script: string, change: (config: RuntimeConfig) => RuntimeConfig = (config) => config): void {
  const base = defaultConfig({ rootless: true, cgroupNamespace: false, uid, gid: uid })
  const process = { ...base.process, terminal: false, args: ['sh', '-c', script] } as NonNullable<
    RuntimeConfig['process']
  >
  place.write(change({ ...base, process }))
}

/** Runs a command of the tool as that user. */
function asUser(...args: readonly string[]): Finished {
  const { status, signal, stdout, stderr } = spawnSync(engine, [tool, '--root', place.root, ...args], {
    uid,
    gid: uid,
    cwd: place.directory,
    env: { PATH: process.env.PATH ?? '', HOME: place.directory },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 30_000,
    killSignal: 'SIGKILL',
  })
  return { end: signal ?? status, stdout, stderr }
}

test('what spec --rootless writes runs for anybody: root inside, the caller outside', () => {
  configure(
    'id -u; hostname; cat /proc/self/uid_map /proc/self/setgroups; touch /dev/shm/x && stat -c %u /dev/shm/x; exit 3',
  )
  const { end, stdout, stderr } = asUser('run', '-b', place.bundle, place.id)
  expect({ end, stderr }).toEqual({ end: 3, stderr: '' })
  expect(stdout.replace(/ +/g, ' ').split('\n')).toEqual(['0', 'runc', ` 0 ${uid} 1`, 'deny', '0', ''])
  expect(place.leftovers()).toEqual([])
})

test('the devices of a rootless container are those of the host, and no others', () => {
  configure('echo x > /dev/null; head -c 4 /dev/zero | wc -c; ls /dev')
  const { end, stdout, stderr } = asUser('run', '-b', place.bundle, place.id)
  expect({ end, stderr }).toEqual({ end: 0, stderr: '' })
  const [count, ...devices] = stdout.trim().split('\n')
  expect(count).toBe('4')
  expect(devices).toEqual(expect.arrayContaining(['full', 'null', 'random', 'tty', 'urandom', 'zero']))
  expect(devices).not.toContain('kmsg')
})

test('a rootless container is created, started and deleted', async () => {
  configure('echo started > /proof; exec sleep 1000', (config) => ({ ...config, root: { path: 'rootfs' } }))
  const script = (command: string): Finished => {
    // Nothing of the test's stays open in the container.
    const line = `exec ${engine} ${tool} --root ${place.root} ${command} >/dev/null 2>${place.directory}/log </dev/null`
    const { status } = spawnSync('/bin/sh', ['-c', line], { uid, gid: uid, timeout: 30_000 })
    return { end: status, stdout: '', stderr: readFileSync(join(place.directory, 'log'), 'utf8') }
  }
  expect(script(`create -b ${place.bundle} ${place.id}`)).toMatchObject({ end: 0, stderr: '' })
  expect(JSON.parse(asUser('state', place.id).stdout)).toMatchObject({ status: 'created' })
  expect(asUser('exec', place.id, 'sh', '-c', 'id -u; exec 3>/proc/1/exe')).toEqual({
    end: 1,
    stdout: '0\n',
    stderr: expect.stringContaining('/proc/1/exe: '),
  })
  expect(asUser('start', place.id)).toMatchObject({ end: 0, stderr: '' })
  expect(JSON.parse(asUser('state', place.id).stdout)).toMatchObject({ status: 'running' })
  const proof = () => readFileSync(join(place.bundle, 'rootfs/proof'), 'utf8')
  await vi.waitFor(() => expect(proof()).toBe('started\n'), { timeout: 10_000 })
  expect(asUser('delete', '-f', place.id)).toMatchObject({ end: 0, stderr: '' })
  expect(place.leftovers()).toEqual([])
})

test('what is not enforced is in the log of create, not among what the container writes, and run says it', () => {
  const devices = [{ allow: false, access: 'rwm' }]
  configure('true', (config) => ({ ...config, linux: { ...config.linux, resources: { devices } } }))
  const warning = expect.stringContaining('device rules are not enforced')
  const log = join(place.directory, 'log')
  for (const flags of [[], ['--log', log]]) {
    // Nothing of the test's stays open in the container.
    const command = [engine, tool, '--root', place.root, ...flags, 'create', '-b', place.bundle, place.id]
    const script = 'exec "$@" >"$0" 2>&1 </dev/null'
    const streams = join(place.directory, 'streams')
    const { status } = spawnSync('/bin/sh', ['-c', script, streams, ...command], { uid, gid: uid, timeout: 30_000 })
    expect({ status, written: readFileSync(streams, 'utf8') }).toEqual({ status: 0, written: '' })
    expect(asUser('delete', '-f', place.id)).toMatchObject({ end: 0, stderr: '' })
  }
  expect(readFileSync(log, 'utf8')).toEqual(warning)
  expect(asUser('run', '-b', place.bundle, place.id)).toMatchObject({ end: 0, stderr: warning })
})

onV1(
  'a rootless container has the v1 cgroups of its caller, read-only, and another mount finds its place there',
  () => {
    const cgroup = { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['nosuid', 'ro'] }
    const more = { destination: '/sys/fs/cgroup/freezer', source: '/sys/fs/cgroup/freezer', options: ['bind'] }
    for (const namespaces of [[], [{ type: 'cgroup' as const }]]) {
      configure(
        `awk '$5 == "/sys/fs/cgroup/memory" { last = $4 " " $6 } END { print last }' /proc/self/mountinfo; ls -d /sys/fs/cgroup/freezer/tasks
      mkdir /sys/fs/cgroup/memory/x 2>&1 | grep -o Read-only`,
        ({ mounts = [], linux, ...config }) => ({
          ...config,
          mounts: [...mounts.filter(({ destination }) => destination !== cgroup.destination), cgroup, more],
          linux: { ...linux, namespaces: [...(linux?.namespaces ?? []), ...namespaces] },
        }),
      )
      const own = /:memory:(.*)/.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1]
      const shown = namespaces.length > 0 ? '/' : own
      expect(asUser('run', '-b', place.bundle, place.id)).toEqual({
        end: 0,
        stdout: `${shown} ro,nosuid,nodev,noexec,relatime\n/sys/fs/cgroup/freezer/tasks\nRead-only\n`,
        stderr: '',
      })
    }
  },
)

test('a rootless container has a time namespace with its offsets', () => {
  configure('cat /proc/self/timens_offsets; id -u', (config) => ({
    ...config,
    linux: {
      ...config.linux,
      namespaces: [...(config.linux?.namespaces ?? []), { type: 'time' }],
      timeOffsets: { monotonic: { secs: 7881, nanosecs: 2718281 }, boottime: { secs: 1337, nanosecs: 3141519 } },
    },
  }))
  const { end, stdout, stderr } = asUser('run', '-b', place.bundle, place.id)
  expect({ end, stderr }).toEqual({ end: 0, stderr: '' })
  expect(stdout.replace(/ +/g, ' ')).toBe('monotonic 7881 2718281\nboottime 1337 3141519\n0\n')
  expect(place.leftovers()).toEqual([])
})

test('a container joins the user namespace of another one by its path', () => {
  const detached = (id: string): Finished => {
    const line = `exec ${engine} ${tool} --root ${place.root} run -d -b ${place.bundle} ${id} >${place.directory}/log 2>&1 </dev/null`
    const { status } = spawnSync('/bin/sh', ['-c', line], { uid, gid: uid, timeout: 30_000 })
    return { end: status, stdout: readFileSync(join(place.directory, 'log'), 'utf8'), stderr: '' }
  }
  configure('exec sleep 1000')
  expect(detached(place.id)).toMatchObject({ end: 0, stdout: '' })
  const { pid } = JSON.parse(asUser('state', place.id).stdout)
  configure('exec sleep 1000', ({ linux: { uidMappings: _, gidMappings: __, ...linux } = {}, ...config }) => ({
    ...config,
    linux: {
      ...linux,
      namespaces: (linux.namespaces ?? []).map(({ type }) =>
        type === 'user' || type === 'pid' ? { type, path: `/proc/${pid}/ns/${type}` } : { type },
      ),
    },
  }))
  const second = `${place.id}-second`
  expect(detached(second)).toMatchObject({ end: 0, stdout: '' })
  expect(asUser('exec', second, 'cat', '/proc/self/uid_map').stdout.trim().split(/\s+/)).toEqual(['0', `${uid}`, '1'])
  for (const id of [second, place.id]) expect(asUser('delete', '-f', id)).toMatchObject({ end: 0, stderr: '' })
  expect(place.leftovers()).toEqual([])
})

test('a container that shares the PID namespace of its caller, without a cgroup, is warned of', () => {
  const proc = { destination: '/proc', type: 'none', source: '/proc', options: ['rbind'] }
  configure('exit 3', (config) => ({
    ...config,
    mounts: config.mounts?.map((mount) => (mount.type === 'proc' ? proc : mount)) ?? [],
    linux: { ...config.linux, namespaces: config.linux?.namespaces?.filter(({ type }) => type !== 'pid') ?? [] },
  }))
  const { end, stderr } = asUser('run', '-b', place.bundle, place.id)
  expect(end).toBe(3)
  expect(stderr).toContain('no cgroup and no private pid namespace')
  expect(place.leftovers()).toEqual([])
})

onV1('limits are set in the hierarchies of v1 that root has given to the user, and in no others', () => {
  const given = ['pids', 'memory'].map((name) => join('/sys/fs/cgroup', name, `${place.id}-given`))
  try {
    for (const directory of given) {
      mkdirSync(directory)
      chownSync(directory, uid, uid)
    }
    const cgroupsPath = `/${place.id}-given/${place.id}`
    configure('cat /proc/self/cgroup', (config) => ({
      ...config,
      linux: { ...config.linux, cgroupsPath, resources: { pids: { limit: 15 }, memory: { limit: 64 * 2 ** 20 } } },
    }))
    const created = ['create', '-b', place.bundle, place.id].join(' ')
    const line = `exec ${engine} ${tool} --root ${place.root} ${created} >${place.directory}/log 2>&1 </dev/null`
    expect(spawnSync('/bin/sh', ['-c', line], { uid, gid: uid }).status).toBe(0)
    const read = (directory = '', file = ''): string => readFileSync(join(directory, place.id, file), 'utf8').trim()
    expect(read(given[0], 'pids.max')).toBe('15')
    expect(read(given[1], 'memory.limit_in_bytes')).toBe(String(64 * 2 ** 20))
    expect(asUser('update', '--pids-limit', '25', place.id)).toMatchObject({ end: 0, stderr: '' })
    expect(read(given[0], 'pids.max')).toBe('25')
    expect(asUser('delete', '-f', place.id)).toMatchObject({ end: 0, stderr: '' })
    configure('exit 0', (config) => ({
      ...config,
      linux: { ...config.linux, cgroupsPath, resources: { cpu: { shares: 100 } } },
    }))
    const refused = asUser('run', '-b', place.bundle, place.id)
    expect(refused.end).toBe(1)
    expect(refused.stderr).toContain('cannot set cpu limit')
    expect(place.leftovers()).toEqual([])
  } finally {
    for (const directory of given) if (existsSync(directory)) rmdirSync(directory)
  }
})

test('without a user namespace a user is told what to do', () => {
  place.configure('exit 0')
  const { end, stderr } = asUser('run', '-b', place.bundle, place.id)
  expect(end).not.toBe(0)
  expect(stderr).toMatch(/permission|permitted|root/)
  expect(place.leftovers()).toEqual([])
})

test("a state root of somebody else's is refused with a hint", () => {
  configure('exit 0')
  chownSync(place.root, 0, 0)
  const { end, stderr } = asUser('run', '-b', place.bundle, place.id)
  expect(end).not.toBe(0)
  expect(stderr).toContain('--root')
})

test('a limit that a user may not set is refused with what would allow it', () => {
  configure('exit 0', (config) => ({ ...config, linux: { ...config.linux, resources: { pids: { limit: 5 } } } }))
  const { end, stderr } = asUser('run', '-b', place.bundle, place.id)
  expect(end).toBe(1)
  expect(stderr).toContain(existsSync('/sys/fs/cgroup/cgroup.controllers') ? '--systemd-cgroup' : 'boot with cgroup v2')
  expect(place.leftovers()).toEqual([])
})

test('in a user namespace of his own a user has containers with the host network, whatever ids there are', () => {
  const script = `set -e
${engine} ${tool} spec -b ${place.bundle} --no-tty --network host -- sh -c 'id -u; ls /sys/class; exit 3'
exec ${engine} ${tool} --root ${place.root} run -b ${place.bundle} ${place.id} 2>/dev/null`
  const { status, stdout } = spawnSync('unshare', ['-Urm', '/bin/sh', '-c', script], {
    uid,
    gid: uid,
    encoding: 'utf8',
  })
  expect(status).toBe(3)
  expect(stdout.split('\n')).toEqual(expect.arrayContaining(['0', 'net']))
  expect(place.leftovers()).toEqual([])
})

test('in a user namespace of his own a user has containers in one of their own', () => {
  const run = `${engine} ${tool} --root ${place.root} run -b ${place.bundle} ${place.id}`
  const inside = (options: string, script: string) =>
    spawnSync('unshare', [options, '/bin/sh', '-c', script], { uid, gid: uid, encoding: 'utf8' })
  configure('exit 0', (config) => ({
    ...config,
    linux: { ...config.linux, gidMappings: [{ containerID: 0, hostID: uid, size: 1 }] },
  }))
  expect(inside('-Urm', run)).toMatchObject({ status: 1, stderr: expect.stringContaining('/proc/self/gid_map') })
  const spec = `${engine} ${tool} spec --rootless -b ${place.bundle} --no-tty -- sh -c 'id -u; exit 3'`
  expect(inside('-Urm', `rm ${place.bundle}/config.json && ${spec} && exec ${run} 2>/dev/null`)).toMatchObject({
    status: 3,
    stdout: '0\n',
  })
  expect(inside('-Ur', run)).toMatchObject({ status: 1, stderr: expect.stringContaining('--mount') })
  expect(place.leftovers()).toEqual([])
})

const helped = requires('root', 'busybox', 'newuidmap', 'useradd', 'userdel')

helped.test('ranges of ids are mapped by newuidmap, as /etc/subuid allows', () => {
  const name = 'bundle-tool-test'
  execFileSync('useradd', ['--no-create-home', '--uid', String(uid), '--add-subids-for-system', '--system', name])
  try {
    const first = Number(/^bundle-tool-test:(\d+):/m.exec(readFileSync('/etc/subuid', 'utf8'))?.[1])
    const mappings = [
      { containerID: 0, hostID: uid, size: 1 },
      { containerID: 1, hostID: first, size: 1000 },
    ]
    const groups = mappings.map((mapping, index) =>
      index === 0 ? { ...mapping, hostID: Number(execFileSync('id', ['-g', name], { encoding: 'utf8' })) } : mapping,
    )
    configure('cat /proc/self/uid_map; id', (config) => ({
      ...config,
      process: { ...config.process, user: { uid: 500, gid: 0 } } as NonNullable<RuntimeConfig['process']>,
      linux: { ...config.linux, uidMappings: mappings, gidMappings: groups },
    }))
    const gid = Number(execFileSync('id', ['-g', name], { encoding: 'utf8' }))
    const call = (...args: readonly string[]) =>
      spawnSync(engine, [tool, '--root', place.root, ...args], {
        uid,
        gid,
        encoding: 'utf8',
        timeout: 30_000,
      })
    const { status, stdout, stderr } = call('run', '-b', place.bundle, place.id)
    expect({ status, stdout: stdout.replace(/ +/g, ' ').split('\n').slice(0, 2) }, stderr).toEqual({
      status: 0,
      stdout: [` 0 ${uid} 1`, ` 1 ${first} 1000`],
    })
    expect(stdout).toContain('uid=500')
    // The FIFO cannot be given to that user; the directory is what keeps others from it.
    const create = `exec ${engine} ${tool} --root ${place.root} create -b ${place.bundle} ${place.id} >/dev/null 2>&1`
    expect(spawnSync('/bin/sh', ['-c', create], { uid, gid }).status).toBe(0)
    expect(statSync(join(place.root, place.id)).mode & 0o777).toBe(0o700)
    expect(call('start', place.id)).toMatchObject({ status: 0, stderr: '' })
    expect(call('delete', '-f', place.id)).toMatchObject({ status: 0, stderr: '' })
    expect(place.leftovers()).toEqual([])
  } finally {
    execFileSync('userdel', [name], { stdio: 'ignore' })
    if (existsSync(`/home/${name}`)) rmdirSync(`/home/${name}`)
  }
})

test('ps has the processes of a container without a cgroup, those of exec and their children too', () => {
  configure('sleep 1001 & exec sleep 1002')
  const script = `exec "$@" >/dev/null 2>&1 </dev/null`
  const detached = (...args: readonly string[]): number | null =>
    spawnSync('/bin/sh', ['-c', script, 'sh', engine, tool, '--root', place.root, ...args], {
      uid,
      gid: uid,
      timeout: 30_000,
    }).status
  expect(detached('run', '-d', '-b', place.bundle, place.id)).toBe(0)
  expect(detached('exec', '-d', place.id, 'sh', '-c', 'sleep 1003 & exec sleep 1004')).toBe(0)
  const commands = (): readonly string[] => {
    const pids: readonly number[] = JSON.parse(asUser('ps', '--format', 'json', place.id).stdout)
    return pids.map((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()).sort()
  }
  expect(commands()).toEqual(['sleep 1001', 'sleep 1002', 'sleep 1003', 'sleep 1004'])
  // In another user namespace of that user the container may not be looked at: what is sure is its first process.
  const elsewhere = ['-Ur', engine, tool, '--root', place.root, 'ps', '--format', 'json', place.id]
  const { stdout } = spawnSync('unshare', elsewhere, { uid, gid: uid, encoding: 'utf8' })
  expect(JSON.parse(stdout)).toEqual([JSON.parse(asUser('state', place.id).stdout).pid, expect.any(Number)])
  expect(asUser('delete', '--force', place.id)).toMatchObject({ end: 0 })
})
