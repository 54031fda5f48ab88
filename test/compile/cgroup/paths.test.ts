import { expect, test } from 'vitest'
import { cgroupFile, cgroupPlaces } from '../../../src/compile/cgroup/paths.ts'
import { hosts, smallConfig } from '../hosts.ts'

const id = { register: 'id' }

test.each([
  [undefined, '/sys/fs/cgroup/pids/user.slice/session-1.scope/ID', '/sys/fs/cgroup/system.slice/ID'],
  ['', '/sys/fs/cgroup/pids/user.slice/session-1.scope/ID', '/sys/fs/cgroup/system.slice/ID'],
  ['/pod/web', '/sys/fs/cgroup/pids/pod/web', '/sys/fs/cgroup/pod/web'],
  ['web', '/sys/fs/cgroup/pids/user.slice/session-1.scope/web', '/sys/fs/cgroup/system.slice/web'],
  ['/../../etc', '/sys/fs/cgroup/pids/etc', '/sys/fs/cgroup/etc'],
  ['../../../../etc', '/sys/fs/cgroup/pids/user.slice/session-1.scope/etc', '/sys/fs/cgroup/system.slice/etc'],
  ['/a/./b//../c/', '/sys/fs/cgroup/pids/a/c', '/sys/fs/cgroup/a/c'],
])('cgroupsPath %j is %s on v1 and %s on v2', (cgroupsPath, v1, v2) => {
  const placeOn = (host: keyof typeof hosts): string => {
    const config = { ...smallConfig, linux: { ...(cgroupsPath === undefined ? {} : { cgroupsPath }) } }
    const places = cgroupPlaces(config, hosts[host].cgroups)
    const place = places.find(({ hierarchy }) => hierarchy.isUnified || hierarchy.controllers.includes('pids'))
    if (!place) throw new Error('there is such a hierarchy')
    const pieces = cgroupFile(place)
    return (typeof pieces === 'string' ? [pieces] : pieces)
      .map((piece) => (typeof piece === 'string' ? piece : 'ID'))
      .join('')
  }
  expect(placeOn('hybrid')).toBe(v1)
  expect(placeOn('v2')).toBe(v2)
})

test('the directories above are made from the top, and the last component may be the ID', () => {
  const [place] = cgroupPlaces(smallConfig, hosts.rootlessV2.cgroups)
  expect(place?.parents).toEqual(['/user.slice', '/user.slice/user-1000.slice'])
  expect(place?.path).toEqual(['/user.slice/user-1000.slice/', id])
})
