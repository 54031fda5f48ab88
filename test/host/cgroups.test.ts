import { expect, test } from 'vitest'
import { parseCgroups } from '../../src/host/cgroups.ts'

let lastID = 30
/** A line of mountinfo for a mount on the mount `parent`, by default on the root. */
function mounted(path: string, what: string, { id = ++lastID, parent = 27, options = 'rw' } = {}): string {
  const [type = '', superOptions = 'rw'] = what.split(' ')
  return `${id} ${parent} 0:${id} / ${path} ${options},relatime shared:5 - ${type} ${type} ${superOptions}\n`
}

const root = '27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n'
const own = '3:memory:/m\n2:name=systemd:/y\n1:net_cls:/\n0::/z\n'
const places = (mounts: string, text = own): readonly string[] =>
  parseCgroups(text, root + mounts).hierarchies.map(({ mountPoint }) => mountPoint)

test.each([
  ['a named hierarchy', mounted('/mnt', 'cgroup rw,xattr,name=systemd')],
  ['net_cls, as a VPN mounts it', mounted('/run/vpn/net_cls', 'cgroup rw,net_cls')],
  ['memory', mounted('/mnt', 'cgroup rw,memory')],
  ['a read-only one', mounted('/mnt', 'cgroup rw,net_cls', { options: 'ro' })],
])('with the unified hierarchy at /sys/fs/cgroup, %s elsewhere changes nothing', (_, stray) => {
  const unified = mounted('/sys/fs/cgroup', 'cgroup2 rw,nsdelegate')
  for (const mounts of [unified + stray, stray + unified]) {
    const { mode, hierarchies, v1Controllers } = parseCgroups(own, root + mounts)
    expect(mode).toBe('v2')
    expect(hierarchies).toMatchObject([{ isUnified: true, mountPoint: '/sys/fs/cgroup', own: '/z' }])
    expect(v1Controllers).toEqual(['memory', 'name=systemd', 'net_cls'])
  }
})

test('with hierarchies of v1 below /sys/fs/cgroup, the unified one elsewhere does not decide', () => {
  const tmpfs = mounted('/sys/fs/cgroup', 'tmpfs', { id: 40 })
  const memory = mounted('/sys/fs/cgroup/memory', 'cgroup rw,memory', { parent: 40 })
  expect(parseCgroups(own, root + mounted('/mnt', 'cgroup2') + tmpfs + memory).mode).toBe('hybrid')
})

test('hierarchies that are mounted elsewhere are found', () => {
  const v1 = mounted('/cgroup/memory', 'cgroup rw,memory') + mounted('/cgroup/net_cls', 'cgroup rw,net_cls')
  expect(parseCgroups(own, root + v1)).toMatchObject({ mode: 'v1' })
  expect(places(v1)).toEqual(['/cgroup/memory', '/cgroup/net_cls'])
  expect(parseCgroups('0::/\n', root + mounted('/cgroup', 'cgroup2'))).toMatchObject({ mode: 'v2' })
})

test('a writable mount of a hierarchy is preferred, then one below /sys/fs/cgroup', () => {
  const usual = mounted('/sys/fs/cgroup/memory', 'cgroup rw,memory')
  const other = mounted('/other', 'cgroup rw,memory')
  const readOnly = mounted('/sys/fs/cgroup/memory', 'cgroup rw,memory', { options: 'ro' })
  expect(places(other + usual)).toEqual(['/sys/fs/cgroup/memory'])
  expect(places(usual + other)).toEqual(['/sys/fs/cgroup/memory'])
  expect(places(readOnly + other)).toEqual(['/other'])
})

test.each([
  ['the mount', { options: 'ro' }, 'rw,memory'],
  ['the file system', {}, 'ro,memory'],
])('a read-only %s is recognised', (_, options, superOptions) => {
  const mounts = mounted('/sys/fs/cgroup/memory', `cgroup ${superOptions}`, options)
  expect(parseCgroups(own, root + mounts).hierarchies).toMatchObject([{ isReadOnly: true }])
})

test('a mount that another one hides is left out', () => {
  const memory = mounted('/sys/fs/cgroup/memory', 'cgroup rw,memory', { id: 60, parent: 50 })
  const cgroups = mounted('/sys/fs/cgroup', 'tmpfs', { id: 50, parent: 23 })
  const sys = mounted('/sys', 'sysfs', { id: 23 })
  expect(places(sys + cgroups + memory)).toEqual(['/sys/fs/cgroup/memory'])
  expect(places(sys + cgroups + memory + mounted('/sys/fs/cgroup/memory', 'tmpfs', { id: 61, parent: 60 }))).toEqual([])
  expect(places(sys + cgroups + memory + mounted('/sys/fs/cgroup', 'tmpfs', { id: 61, parent: 50 }))).toEqual([])
  expect(places(sys + cgroups + memory + mounted('/sys', 'tmpfs', { id: 61, parent: 23 }))).toEqual([])
  expect(places(sys + cgroups + memory + mounted('/sys/fs', 'tmpfs', { id: 61, parent: 23 }))).toEqual([])
})

test('a mount that was moved over an older line hides it, whatever the order of the lines', () => {
  const moved = mounted('/sys/fs/cgroup', 'cgroup2', { id: 40, parent: 41 })
  expect(places(moved + mounted('/sys/fs/cgroup', 'tmpfs', { id: 41 }))).toEqual(['/sys/fs/cgroup'])
})

test('a mount on the root itself hides no path, and the root of a chroot need not be listed', () => {
  const unified = mounted('/sys/fs/cgroup', 'cgroup2')
  expect(places(unified + mounted('/', 'tmpfs'))).toEqual(['/sys/fs/cgroup'])
  expect(parseCgroups(own, unified).hierarchies).toHaveLength(1)
})
