// The mounts of cgroups decide which limits a container gets. Each host here is a mount namespace with other mounts of cgroups.
import { readFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import { defaultConfig } from '../../src/bundle/default-config.ts'
import type { Linux, Mount, Resources } from '../../src/oci/runtime-config.ts'
import { turnOffAllBut, unifiedControllers } from '../cgroup-directories.ts'
import { type ConfigChange, ContainerPlace, type Finished } from '../container.ts'
import { requires } from '../requirements.ts'

const { test, describe } = requires('root', 'busybox', 'unshare', 'a hybrid hierarchy')

let place: ContainerPlace
const before = unifiedControllers()
beforeAll(() => {
  place = new ContainerPlace()
})
afterAll(async () => {
  await place.close()
  turnOffAllBut(before)
})
afterEach(() => expect(place.leftovers()).toEqual([]))

const nothing = 'umount -l /sys/fs/cgroup'
const unifiedAlone = `${nothing}; mount -t cgroup2 none /sys/fs/cgroup`
const stray = (options: string, flags = ''): string =>
  `${unifiedAlone}; mkdir -p /mnt/stray; mount -t tmpfs none /mnt; mkdir /mnt/stray; mount ${flags} -t cgroup -o ${options} none /mnt/stray`
/** Hierarchies of v1 alone, or the unified one alone, and neither where hosts have them. */
const elsewhere = (...mounts: readonly string[]): string =>
  [nothing, 'mount -t tmpfs none /mnt', ...mounts.map((line) => `mkdir -p /mnt/cgroups; ${line}`)].join('; ')
const v1Elsewhere = elsewhere(
  ...['devices', 'pids', 'freezer'].map(
    (name) => `mkdir -p /mnt/${name}; mount -t cgroup -o ${name} none /mnt/${name}`,
  ),
)
const unifiedElsewhere = elsewhere('mount -t cgroup2 none /mnt/cgroups')
const withoutDevices = 'umount /sys/fs/cgroup/devices'
const withoutUnified = 'umount /sys/fs/cgroup/unified'

/** Runs a script in a container on such a host. */
function runOn(host: string, script: string, change: ConfigChange = {}): Finished {
  place.configure(script, change)
  const under = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', `set -e; ${host}; exec "$@"`, 'sh']
  return place.tool(['run', '--no-cache', '-b', place.bundle, place.id], { under })
}

const ownCgroups: Linux = {
  namespaces: (['pid', 'network', 'ipc', 'uts', 'mount', 'cgroup'] as const).map((type) => ({ type })),
}
const fuse = { path: '/dev/fuse', type: 'c', major: 10, minor: 229 } as const
const denyAll = { devices: [fuse], resources: { devices: [{ allow: false, access: 'rwm' }] } }
const openFuse = 'true < /dev/fuse'
const refused = { end: 1, stderr: expect.stringContaining("can't open /dev/fuse: Operation not permitted") }

test.each([
  ['cgroup v2 alone', unifiedAlone],
  ['cgroup v2 and a named hierarchy of v1 elsewhere', stray('none,name=systemd')],
  ['cgroup v2 and the devices of v1 elsewhere', stray('devices')],
  ['cgroup v2 and a read-only hierarchy of v1 elsewhere', stray('none,name=systemd', '-r')],
  ['hierarchies of v1 without devices, and the unified one', withoutDevices],
  ['hierarchies of v1 with read-only devices, and the unified one', 'mount -o remount,bind,ro /sys/fs/cgroup/devices'],
  ['hierarchies of v1 with devices', withoutUnified],
  ['hierarchies of v1 in another place', v1Elsewhere],
  ['the unified hierarchy in another place', unifiedElsewhere],
])('%s: a device that no rule allows cannot be opened', (_, host) => {
  expect(runOn(host, openFuse, { linux: denyAll })).toMatchObject(refused)
})

test.each([
  ['v1 without devices', `${withoutDevices}; ${withoutUnified}`, 'no hierarchy with devices'],
  ['cgroup v2 alone, read-only', `${unifiedAlone}; mount -o remount,bind,ro /sys/fs/cgroup`, 'mounted read-only'],
])('%s: device rules are refused, and a container that has none runs', (_, host, why) => {
  const { end, stdout, stderr } = runOn(host, 'echo ran', { linux: denyAll })
  expect({ end, stdout, stderr }).toEqual({ end: 1, stdout: '', stderr: expect.stringContaining(why) })
  expect(stderr).toContain('/linux/resources/devices')
  expect(runOn(host, 'echo ran', { linux: { resources: {} } })).toMatchObject({ end: 0, stdout: 'ran\n' })
})

describe('cgroup v2 and a hierarchy of v1 elsewhere', () => {
  const host = stray('none,name=systemd')

  test('the container has its cgroup in the unified hierarchy alone, and sees that one', () => {
    const own = readFileSync('/proc/self/cgroup', 'utf8')
    const script = `cat /proc/self/cgroup; grep -x 1 /sys/fs/cgroup/${place.id}/cgroup.procs`
    const { end, stdout, stderr } = runOn(host, script)
    const ownPlace = `0::${/^0::(.*)$/m.exec(own)?.[1]}`.replace(/\/[^/]*$/, '')
    const expected = own.replace(/^0::.*$/m, `${ownPlace}/${place.id}`)
    expect({ end, stdout, stderr }).toEqual({ end: 0, stdout: `${expected}1\n`, stderr: '' })
  })

  test('the commands that come after find the container in the unified hierarchy', () => {
    place.configure('exec sleep 1000', { linux: { ...ownCgroups, ...denyAll } })
    const steps = `
      t run -d -b ${place.bundle} ${place.id}
      t exec ${place.id} cat /proc/self/cgroup | grep 0::
      t pause ${place.id}; t state ${place.id} | grep status; t resume ${place.id}
      echo '{"unified": {"cgroup.max.depth": "4"}}' | t update -r - ${place.id}
      t exec ${place.id} cat /sys/fs/cgroup/cgroup.max.depth
      t ps ${place.id} | grep -c sleep; t events --stats ${place.id} | grep -c usage
      t kill ${place.id} KILL; t delete -f ${place.id}`
    const { stdout, stderr } = place.tool([], {
      under: [
        'unshare',
        '--mount',
        '--propagation',
        'private',
        'sh',
        '-c',
        `${host}; tool="$*"; t() { $tool "$@"; }; ${steps}`,
        'sh',
      ],
    })
    expect({ lines: stdout.replaceAll(/[ ,"]/g, '').split('\n'), stderr }).toEqual({
      lines: ['0::/', 'status:paused', '4', '1', '1', ''],
      stderr: '',
    })
  })

  test('resources.unified is written', () => {
    const resources: Resources = { unified: { 'cgroup.max.depth': '3' } }
    const script = 'cat /sys/fs/cgroup/cgroup.max.depth'
    expect(runOn(host, script, { linux: { ...ownCgroups, resources } })).toMatchObject({ end: 0, stdout: '3\n' })
  })

  test('a controller that v1 has is refused by the name of the limit', () => {
    const { end, stderr } = runOn(host, 'true', { linux: { resources: { memory: { limit: 2 ** 25 } } } })
    expect({ end, stderr }).toEqual({ end: 1, stderr: expect.stringContaining('/linux/resources/memory/limit') })
  })
})

describe('/sys/fs/cgroup of a container on cgroup v2', () => {
  const ownFile = '/sys/fs/cgroup$(sed -n s/^0:://p /proc/self/cgroup)/cgroup.procs'
  const flags = 'grep " /sys/fs/cgroup " /proc/self/mountinfo | cut -d" " -f6'
  const mounts = (...more: readonly Mount[]): { readonly config: { readonly mounts: readonly Mount[] } } => {
    const { mounts: all = [] } = defaultConfig({ rootless: false, cgroupNamespace: true, uid: 0, gid: 0 })
    return { config: { mounts: [...all.filter(({ destination }) => !destination.startsWith('/sys')), ...more] } }
  }
  const sys = { destination: '/sys', type: 'sysfs', source: 'sysfs' }
  const boundSys = { destination: '/sys', source: '/sys', options: ['rbind', 'ro'] }
  const cgroup = (...options: readonly string[]): Mount => {
    return { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options }
  }

  test.each([
    ['ro', 'ro,nosuid'],
    ['rw', 'rw,nosuid'],
  ])('is the whole hierarchy, %s, without a cgroup namespace', (option, expected) => {
    const change = mounts(sys, cgroup(option, 'nosuid', 'nodev', 'noexec'))
    const { end, stdout, stderr } = runOn(unifiedAlone, `grep -x $$ ${ownFile}; ${flags}`, change)
    expect({ end, stdout, stderr }).toEqual({ end: 0, stdout: expect.stringMatching(/^1\n/), stderr: '' })
    expect(stdout.split('\n')[1]).toMatch(new RegExp(`^${expected}`))
  })

  test.each([
    ['over a new sysfs', [sys, cgroup('ro')], 'ro'],
    ['over a bind of /sys', [boundSys, cgroup('ro')], 'ro'],
    ['over a bind of /sys, writable', [boundSys, cgroup()], 'rw'],
    ['over another one', [sys, cgroup(), cgroup('ro')], 'ro'],
    ['without a mount of /sys', [cgroup('ro')], 'ro'],
  ])('is its own cgroup with a cgroup namespace, %s', (_, more, expected) => {
    const script = `cat /proc/self/cgroup | sed -n s/^0:://p; cat /sys/fs/cgroup/cgroup.procs; ${flags} | tail -n 1`
    const { end, stdout, stderr } = runOn(unifiedAlone, script, { ...mounts(...more), linux: ownCgroups })
    expect({ end, stderr }).toEqual({ end: 0, stderr: '' })
    expect(stdout).toMatch(new RegExp(`^/\n1\n\\d+\n(\\d+\n)*${expected}`))
  })

  test('is how the options say that mounts below it later spread, and how it is used', () => {
    const script = 'grep " /sys/fs/cgroup " /proc/self/mountinfo'
    const change = mounts(sys, cgroup('rshared', 'rro', 'rnoatime'))
    expect(runOn(unifiedAlone, script, change).stdout).toMatch(/ ro,\S*noatime shared:\d+ - cgroup2/)
    expect(runOn('true', script, change).stdout).toMatch(/ ro,\S*noatime shared:\d+ - tmpfs/)
  })

  test('takes no options of a file system', () => {
    const { end, stderr } = runOn(unifiedAlone, 'true', mounts(sys, cgroup('favordynmods')))
    expect({ end, stderr }).toEqual({ end: 1, stderr: expect.stringContaining('/mounts/6/options') })
  })
})

test('a read-only hierarchy of v1 is passed over, and refuses what needs it', () => {
  const host = 'mount -o remount,bind,ro /sys/fs/cgroup/pids'
  const script = 'grep -E ":(pids|memory):" /proc/self/cgroup; ls /sys/fs/cgroup'
  const { end, stdout, stderr } = runOn(host, script, { linux: { cgroupsPath: `/${place.id}` } })
  expect({ end, stderr }).toEqual({ end: 0, stderr: '' })
  expect(stdout).toContain(`:memory:/${place.id}\n`)
  expect(stdout).not.toContain(`:pids:/${place.id}\n`)
  expect(stdout).toMatch(/^memory$/m)
  expect(stdout).not.toMatch(/^pids$/m)
  const limited = runOn(host, 'echo ran', { linux: { resources: { pids: { limit: 5 } } } })
  expect(limited).toMatchObject({ end: 1, stdout: '', stderr: expect.stringContaining('/linux/resources/pids/limit') })
})
