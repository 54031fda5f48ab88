import { chmodSync } from 'node:fs'
import { afterEach, beforeEach, expect } from 'vitest'
import type { Mount } from '../../src/oci/runtime-config.ts'
import { ContainerPlace } from '../container.ts'
import { requires } from '../requirements.ts'

const { test } = requires('root', 'busybox', 'setpriv')

let place: ContainerPlace
beforeEach(() => {
  place = new ContainerPlace()
})
afterEach(() => place.close())

const run = (...under: readonly string[]) => place.tool(['run', '-b', place.bundle, place.id], { under })

/** Root without one capability, as a container has it. */
const without = (capability: string): readonly string[] => [
  'setpriv',
  `--bounding-set=-${capability}`,
  `--inh-caps=-${capability}`,
]

test.each([
  ['sys_admin', 'linux.namespaces'],
  ['setgid', 'process.user.additionalGids'],
  ['mknod', 'linux.devices (null)'],
])('root without CAP_%s is told that, and not to be root', (capability, thing) => {
  place.configure('true')
  const { end, stderr } = run(...without(capability))
  expect(end).toBe(1)
  expect(stderr).toContain(thing)
  expect(stderr).toContain(`root lacks CAP_${capability.toUpperCase()} here: add it to the surrounding container`)
  expect(stderr).not.toContain('run as root')
  expect(place.leftovers()).toEqual([])
})

test('another user is told to be root, or how to do without', () => {
  place.configure('true')
  chmodSync(place.directory, 0o777) // where the user makes the root for state
  const { end, stderr } = run('setpriv', '--reuid=54333', '--regid=54333', '--clear-groups')
  expect(end).toBe(1)
  expect(stderr).toContain('run as root, or add a user namespace: bundle-tool spec --rootless')
})

const bindHint = `to show "/tmp" there, add "bind" (or "rbind") to the mount's options: a type alone does not do that`

test.each<readonly [string, Mount, readonly string[]]>([
  ['a directory without a type', { destination: '/mnt', source: '/tmp' }, ['ENODEV', bindHint]],
  ['a directory of type bind', { destination: '/mnt', source: '/tmp', type: 'bind' }, ['ENODEV', bindHint]],
  [
    'a file system that does not exist',
    { destination: '/mnt', source: 'x', type: 'nonsensefs' },
    ['ENODEV', 'this kernel has no file system "nonsensefs": see /proc/filesystems'],
  ],
  [
    'a device that is none',
    { destination: '/mnt', source: '/dev/null', type: 'ext4' },
    ['block device required (ENOTBLK)', '"/dev/null" is not a block device'],
  ],
  [
    'a source that is not there',
    { destination: '/mnt', source: '/no/such/device', type: 'ext4' },
    ['ENOENT', 'check its source, "/no/such/device", and the paths in its options'],
  ],
  [
    'an option that does not exist',
    { destination: '/mnt', source: 'tmpfs', type: 'tmpfs', options: ['nonsense=1'] },
    ['EINVAL', 'an option may be unknown to this file system'],
  ],
])('a mount that fails says what is wrong with it: %s', (_, mount, texts) => {
  const base = place.configure('true')
  place.configure('true', { config: { mounts: [...(base.mounts ?? []), mount] } })
  const { end, stderr } = run()
  expect(end).toBe(1)
  for (const text of texts) expect(stderr.replaceAll('\\"', '"')).toContain(text)
  expect(place.leftovers()).toEqual([])
})
