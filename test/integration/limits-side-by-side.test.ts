import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect } from 'vitest'
import type { Resources } from '../../src/oci/runtime-config.ts'
import { readContainer } from '../../src/runtime/state-file.ts'
import { ContainerPlace } from '../container.ts'
import { requires } from '../requirements.ts'

const { test } = requires('root', 'busybox', 'runc')

const mebi = 2 ** 20
/** A device that every machine can have limits for. */
const [major = 0, minor = 0] = (/^\s*(\d+)\s+(\d+)\s+\d+\s+\w+$/m.exec(readFileSync('/proc/partitions', 'utf8')) ?? [])
  .slice(1)
  .map(Number)

let place: ContainerPlace
beforeEach(() => {
  place = new ContainerPlace()
})
afterEach(() => place.close())

/** Files whose content changes by itself, or that say what the runtime and not the limit is. */
const restless =
  /\.(stat|stat\.local|pressure|procs|threads|numa_stat|percpu|events|current|peak)$|usage|event_control|tasks$|clone_children/

/** The limits of a container: the control files, by name, of all its cgroups. */
function controls(): Readonly<Record<string, string>> {
  const directories = new Set(Object.values(readContainer(place.root, place.id).cgroupPaths))
  const files = [...directories].flatMap((directory) =>
    readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isFile() && !restless.test(entry.name))
      .map(({ name }) => [name, readIfReadable(join(directory, name))] as const),
  )
  return Object.fromEntries(files)
}

/** Sorted: the order of device rules is none. */
function readIfReadable(path: string): string {
  try {
    return readFileSync(path, 'utf8').split('\n').sort().join('\n')
  } catch {
    return 'cannot be read'
  }
}

const shares: [string, Resources] = ['shares', { cpu: { shares: 512 } }]

test.each<[string, Resources]>([
  ['none', {}],
  ['memory', { memory: { limit: 64 * mebi } }],
  ['memory, swap and reservation', { memory: { limit: 64 * mebi, swap: 96 * mebi, reservation: 32 * mebi } }],
  ['memory without swap', { memory: { limit: 64 * mebi, swap: 64 * mebi } }],
  ['unlimited memory', { memory: { limit: -1 } }],
  ['unlimited swap', { memory: { limit: 64 * mebi, swap: -1 } }],
  // For cgroup v2, runc before 1.4 makes another weight of them.
  ...(existsSync('/sys/fs/cgroup/cgroup.controllers') ? [] : [shares]),
  ['a quota', { cpu: { quota: 50_000 } }],
  ['a period', { cpu: { period: 50_000 } }],
  ['a quota and a period', { cpu: { quota: 20_000, period: 50_000 } }],
  ['no quota', { cpu: { quota: -1 } }],
  ['a cpuset', { cpu: { cpus: '0', mems: '0' } }],
  ['processes', { pids: { limit: 7 } }],
  ['unlimited processes', { pids: { limit: -1 } }],
  [
    'block I/O',
    {
      blockIO: {
        throttleReadBpsDevice: [{ major, minor, rate: mebi }],
        throttleWriteBpsDevice: [{ major, minor, rate: 2 * mebi }],
        throttleReadIOPSDevice: [{ major, minor, rate: 100 }],
        throttleWriteIOPSDevice: [{ major, minor, rate: 200 }],
      },
    },
  ],
  [
    'devices',
    {
      devices: [
        { allow: false, access: 'rwm' },
        { allow: true, type: 'c', major: 10, minor: 229, access: 'rw' },
        { allow: true, type: 'b', major: 8, access: 'r' },
      ],
    },
  ],
])('%s: the same in every file as under runc', (_, resources) => {
  place.configure('exec sleep 1000', { config: { ociVersion: '1.0.2' }, linux: { resources } })
  execFileSync('runc', ['--root', place.root, 'run', '-d', '-b', place.bundle, place.id], { stdio: 'ignore' })
  const theirs = controls()
  execFileSync('runc', ['--root', place.root, 'delete', '-f', place.id])
  expect(place.tool(['run', '-d', '-b', place.bundle, place.id])).toMatchObject({ end: 0, stderr: '' })
  expect(Object.keys(theirs).length).toBeGreaterThan(20)
  expect(controls()).toEqual(theirs)
})
