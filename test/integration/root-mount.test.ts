import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect } from 'vitest'
import { engine, tool } from '../command-line.ts'
import { ContainerPlace } from '../container.ts'
import { requires } from '../requirements.ts'

const { test } = requires('root', 'busybox')

let place: ContainerPlace
beforeEach(() => {
  place = new ContainerPlace()
})
afterEach(() => place.close())

const namespaces = ['pid', 'network', 'ipc', 'uts'] as const

test('--no-pivot and a container without a mount namespace see the rootfs as their root', () => {
  expect(place.run('ls -d /bin/busybox; echo /proc/[0-9]*', {}, '--no-pivot').stdout).toBe('/bin/busybox\n/proc/1\n')
  const { stdout } = place.run('ls /', {
    config: { mounts: [], root: { path: 'rootfs' } },
    linux: { namespaces: namespaces.map((type) => ({ type })), maskedPaths: [], readonlyPaths: [] },
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
    const run = [engine, tool, '--root', place.root, 'run', ...flags, '-b', place.bundle, place.id]
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
