import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect } from 'vitest'
import type { Resources } from '../../src/oci/runtime-config.ts'
import { readContainer } from '../../src/runtime/state-file.ts'
import { cgroupsNamed } from '../cgroup-directories.ts'
import { ContainerPlace, type Finished } from '../container.ts'
import { requires } from '../requirements.ts'
import { done, pidOf } from './cgroup-v2.ts'

const { test } = requires('root', 'busybox', 'runc', 'a hybrid hierarchy', '/run/systemd/system')

let place: ContainerPlace
beforeEach(() => {
  place = new ContainerPlace()
})
afterEach(() => place.close())

const scope = (): string => `test-${place.id}.scope`

/** Properties of the scope, sorted: without times, counts, and what names the runtime. */
function show(): readonly string[] {
  const restless =
    /^(Invocation|Description|NeedDaemonReload|.*(Timestamp|Monotonic|USec|Usage|Current|NSec|IngressPackets|Bytes)\b|ControlGroupId|Id|Names|Job|Memory(Peak|Available)|.*(Packets|Operations|Tasks))/
  const names = ['CPUQuotaPerSecUSec', 'CPUQuotaPeriodUSec', 'TasksMax']
  const lines = execFileSync('systemctl', ['show', scope()], { encoding: 'utf8' }).trim().split('\n')
  return lines.filter((line) => names.includes(line.split('=')[0] ?? '') || !restless.test(line)).sort()
}

const tool = (command: string, ...args: readonly string[]): Finished => place.tool([command, ...args])

function start(resources: Resources = {}, script = 'exec sleep 1000'): void {
  place.configure(script, {
    config: { ociVersion: '1.0.2' },
    linux: { resources, cgroupsPath: `machine.slice:test:${place.id}` },
  })
  expect(place.tool(['--systemd-cgroup', 'run', '-d', '-b', place.bundle, place.id])).toMatchObject(done)
}

const directories = (): readonly string[] => [
  ...new Set(Object.values(readContainer(place.root, place.id).cgroupPaths)),
]
const control = (controller: string, file: string): string =>
  readFileSync(join(readContainer(place.root, place.id).cgroupPaths[controller] ?? '', file), 'utf8').trim()

const resources: Resources = {
  devices: [
    { allow: false, access: 'rwm' },
    { allow: true, type: 'c', major: 10, minor: 229, access: 'rw' },
  ],
  cpu: { shares: 512, quota: 20_333, period: 50_000 },
  pids: { limit: 33 },
}

test('a scope has the properties that it has under runc, and its process is in every hierarchy', () => {
  start(resources)
  const ours = show()
  expect(directories().length).toBeGreaterThan(5)
  for (const directory of directories()) {
    expect(directory).toMatch(new RegExp(`/machine.slice/${scope()}$`))
    expect(readFileSync(join(directory, 'cgroup.procs'), 'utf8')).toBe(`${pidOf(place)}\n`)
  }
  expect(tool('delete', '-f', place.id)).toMatchObject(done)
  const runc = ['--systemd-cgroup', '--root', place.root]
  execFileSync('runc', [...runc, 'run', '-d', '-b', place.bundle, place.id], { stdio: 'ignore' })
  const theirs = show()
  execFileSync('runc', [...runc, 'delete', '-f', place.id])
  expect(ours).toEqual(theirs)
})

test('a reload of systemd takes no limit back, also one that was changed', () => {
  start(resources)
  const files = () => [
    control('pids', 'pids.max'),
    control('cpu', 'cpu.shares'),
    control('cpu', 'cpu.cfs_quota_us'),
    control('devices', 'devices.list').split('\n').sort().join('\n'),
  ]
  expect(files().slice(0, 3)).toEqual(['33', '512', '20500'])
  expect(files()[3]).toContain('c 10:229 rw')
  const before = files()
  execFileSync('systemctl', ['daemon-reload'])
  expect(files()).toEqual(before)
  expect(tool('update', '--pids-limit', '20', '--cpu-quota', '10111', place.id)).toMatchObject(done)
  expect(files().slice(0, 3)).toEqual(['20', '512', '10500'])
  execFileSync('systemctl', ['daemon-reload'])
  expect(files()).toEqual(['20', '512', '10500', before[3]])
})

test('pause, exec and kill reach it, and nothing is left of it', () => {
  start()
  expect(tool('pause', place.id)).toMatchObject(done)
  expect(control('freezer', 'freezer.state')).toBe('FROZEN')
  expect(tool('resume', place.id)).toMatchObject(done)
  const { stdout } = tool('exec', place.id, 'cat', '/proc/self/cgroup')
  expect(stdout.split('\n').filter((line) => line.endsWith(`/${scope()}`)).length).toBeGreaterThan(5)
  expect(tool('kill', place.id, 'KILL')).toMatchObject(done)
  expect(tool('delete', '-f', place.id)).toMatchObject(done)
  expect(cgroupsNamed(scope())).toEqual([])
  expect(execFileSync('systemctl', ['list-units', '--all', '--plain', scope()], { encoding: 'utf8' })).toContain(
    '0 loaded',
  )
})

test('a create that fails leaves neither a unit nor a cgroup', () => {
  place.configure('true', {
    config: { mounts: [{ destination: '/x', type: 'none', source: '/gone' }] },
    linux: { cgroupsPath: `machine.slice:test:${place.id}` },
  })
  expect(place.tool(['--systemd-cgroup', 'run', '-b', place.bundle, place.id]).end).toBe(1)
  expect(cgroupsNamed(scope())).toEqual([])
  expect(existsSync(join(place.root, place.id))).toBe(false)
})
