import { expect, test } from 'vitest'
import type { CgroupFacts } from '../../src/compile/facts.ts'
import {
  containerToDump,
  containerToRestore,
  externalKey,
  recordedNamespaces,
} from '../../src/runtime/criu-container.ts'
import { Fields } from '../../src/runtime/state-file.ts'
import { hosts } from '../compile/hosts.ts'

const config = (...namespaces: readonly string[]): Fields =>
  new Fields(
    {
      rootfs: '/b/rootfs',
      mounts: [
        { device: 'proc', destination: '/proc' },
        { device: 'cgroup', destination: '/sys/fs/cgroup' },
        { device: 'bind', source: '/src', destination: '/data' },
      ],
      devices: [{ path: '/dev/null' }],
      namespaces: namespaces.map((type) => ({ type })),
    },
    'state.json',
  )
const realPath = (path: string): string => `/real${path}`
const places = (cgroups: CgroupFacts, ...namespaces: readonly string[]) =>
  containerToDump(config(...namespaces), 1, { realPath, cgroups }).externalMounts.map(({ key }) => key)

test('cgroups that a container sees as binds are not in the images', () => {
  const own = ['/real/data', '/dev/null']
  expect(places(hosts.v2.cgroups)).toEqual(['/sys/fs/cgroup', ...own])
  expect(places(hosts.v2.cgroups, 'NEWCGROUP')).toEqual(own)
  expect(places(hosts.v2.cgroups, 'NEWCGROUP', 'NEWUSER')).toEqual(['/sys/fs/cgroup', ...own])
  expect(places(hosts.hybrid.cgroups)).toEqual([
    ...['cpu,cpuacct', 'cpuset', 'memory', 'devices', 'freezer', 'pids', 'systemd'].map((n) => `/sys/fs/cgroup/${n}`),
    ...own,
  ])
  expect(places(hosts.hybrid.cgroups, 'NEWCGROUP')).toEqual(own)
})

test('a restored container gets its own cgroups for these binds, or the whole unified hierarchy', () => {
  const cgroupDirectories = new Map([['/sys/fs/cgroup', '/sys/fs/cgroup/x/demo']])
  const facts = { realPath, cgroups: hosts.v2.cgroups, cgroupDirectories }
  expect(containerToRestore(config(), '/run/criu-root', facts).externalMounts[0]?.value).toBe('/sys/fs/cgroup')
  expect(containerToRestore(config('NEWCGROUP', 'NEWUSER'), '/run/criu-root', facts)).toEqual({
    root: '/run/criu-root',
    configFile: '/etc/criu/runc.conf',
    externalMounts: [
      { key: '/sys/fs/cgroup', value: '/sys/fs/cgroup/x/demo' },
      { key: '/real/data', value: '/src' },
      { key: '/dev/null', value: '/dev/null' },
    ],
  })
})

test("namespaces have CRIU's names", () => {
  const recorded = recordedNamespaces(config('NEWNET', 'NEWNS', 'NEWPID'))
  expect(recorded.map(({ name }) => name)).toEqual(['net', 'mnt', 'pid'])
  expect(recorded.map(externalKey)).toEqual(['extRootNetNS', 'extRootMntNS', 'extRootPidNS'])
})
