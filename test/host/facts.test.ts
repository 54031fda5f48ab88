import { expect, test } from 'vitest'
import { parseCgroups } from '../../src/host/cgroups.ts'
import { readHostFacts } from '../../src/host/facts.ts'

const mount = (path: string, type: string, options: string, root = '/'): string =>
  `31 23 0:28 ${root} ${path} rw,relatime shared:5 - ${type} ${type} rw,${options}\n`

test("cgroup v2: one hierarchy, which is the caller's", () => {
  const unified = { controllers: [], isUnified: true, isReadOnly: false, mountPoint: '/sys/fs/cgroup' }
  expect(parseCgroups('0::/user.slice/a.scope\n', mount('/sys/fs/cgroup', 'cgroup2', 'nsdelegate'))).toEqual({
    mode: 'v2',
    hierarchies: [{ ...unified, own: '/user.slice/a.scope' }],
    v1Controllers: [],
  })
})

test('hybrid: each hierarchy by its controllers, in whatever order the kernel lists them', () => {
  const own = '3:cpu,cpuacct:/x\n2:name=systemd:/y\n1:memory:/\n0::/z\n'
  const mounts =
    mount('/sys/fs/cgroup/cpu,cpuacct', 'cgroup', 'cpuacct,cpu') +
    mount('/sys/fs/cgroup/systemd', 'cgroup', 'xattr,name=systemd') +
    mount('/sys/fs/cgroup/unified', 'cgroup2', 'nsdelegate')
  const { mode, hierarchies } = parseCgroups(own, mounts)
  expect(mode).toBe('hybrid')
  expect(hierarchies.map(({ controllers, own: place }) => [controllers.join(','), place])).toEqual([
    ['cpu,cpuacct', '/x'],
    ['name=systemd', '/y'],
    ['', '/z'],
  ])
})

test.each([
  ['/docker/abc', '/docker/abc/child', '/child'],
  ['/docker/abc', '/docker/abc', '/'],
  ['/docker/abc', '/docker/abcd', '/'],
  ['/docker/abc', '/elsewhere', '/'],
  ['/', '/anything', '/anything'],
])('of a mount of %s, the place %s is %s', (root, place, own) => {
  const { hierarchies } = parseCgroups(`1:pids:${place}\n`, mount('/sys/fs/cgroup/pids', 'cgroup', 'pids', root))
  expect(hierarchies).toMatchObject([{ own }])
})

test('mount points with spaces, paths with colons, and mounts of other types are parsed', () => {
  const mounts = mount('/a\\040b', 'cgroup', 'pids') + mount('/proc', 'proc', 'hidepid=2')
  expect(parseCgroups('1:pids:/with:colon\n', mounts)).toEqual({
    mode: 'v1',
    hierarchies: [
      { controllers: ['pids'], isUnified: false, isReadOnly: false, mountPoint: '/a b', own: '/with:colon' },
    ],
    v1Controllers: ['pids'],
  })
  expect(parseCgroups('', '')).toEqual({ mode: 'none', hierarchies: [], v1Controllers: [] })
})

test('the facts of this host are those of this process', () => {
  const facts = readHostFacts()
  expect(facts.euid).toBe(process.geteuid?.())
  expect(facts.cgroups.mode).not.toBe('none')
})
