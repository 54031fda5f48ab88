import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, onTestFinished } from 'vitest'
import type { Linux, Resources } from '../../src/oci/runtime-config.ts'
import { cgroupsNamed } from '../cgroup-directories.ts'
import { ContainerPlace, type Finished } from '../container.ts'
import { requires } from '../requirements.ts'
import { cgroupOf, control, done, mebi, mount, namespaces, pidOf, withLimits } from './cgroup-v2.ts'

const { test } = requires('root', 'busybox', 'cgroup2', '/run/systemd/system')

let place: ContainerPlace
beforeEach(() => {
  place = new ContainerPlace()
})
afterEach(async () => {
  await place.close()
  expect(units()).toEqual([])
})

/** Properties of a unit, as systemd has them now. */
function show(unit: string, ...names: readonly string[]): Readonly<Record<string, string>> {
  const lines = execFileSync('systemctl', ['show', unit, ...names.flatMap((name) => ['-p', name])], {
    encoding: 'utf8',
  })
  return Object.fromEntries(
    lines
      .trim()
      .split('\n')
      .map((line) => line.split(/=(.*)/).slice(0, 2)),
  )
}

/** Those that are named after the place's containers. */
function units(): readonly string[] {
  const listed = execFileSync('systemctl', ['list-units', '--all', '--plain', '--no-legend'], { encoding: 'utf8' })
  return listed.split('\n').filter((line) => line.includes(place.id))
}

const tool = (command: string, ...args: readonly string[]): Finished => place.tool([command, place.id, ...args])
const systemd = (...args: readonly string[]): Finished => place.tool(['--systemd-cgroup', ...args])

function start(script: string, resources: Resources = {}, linux: Linux = {}): void {
  place.configure(script, withLimits(resources, linux))
  expect(systemd('run', '-d', '-b', place.bundle, place.id)).toMatchObject(done)
}

test('a container is a scope with its limits while it runs, and nothing is left of it after', () => {
  const resources: Resources = {
    memory: { limit: 64 * mebi, swap: 96 * mebi, reservation: 32 * mebi },
    cpu: { shares: 512, quota: 50_000, period: 200_000, cpus: '0', mems: '0' },
    pids: { limit: 33 },
  }
  start('exec sleep 1000', resources, { cgroupsPath: `machine.slice:test:${place.id}` })
  const scope = `test-${place.id}.scope`
  const wanted = {
    ActiveState: 'active',
    Slice: 'machine.slice',
    ControlGroup: `/machine.slice/${scope}`,
    Delegate: 'yes',
    DefaultDependencies: 'no',
    CollectMode: 'inactive',
    CPUAccounting: 'yes',
    MemoryAccounting: 'yes',
    IOAccounting: 'yes',
    TasksAccounting: 'yes',
    MemoryMax: String(64 * mebi),
    MemorySwapMax: String(32 * mebi),
    MemoryLow: String(32 * mebi),
    TasksMax: '33',
    CPUWeight: '59',
    CPUQuotaPerSecUSec: '250ms',
    CPUQuotaPeriodUSec: '200ms',
    AllowedCPUs: '0',
    AllowedMemoryNodes: '0',
  }
  expect(show(scope, ...Object.keys(wanted))).toEqual(wanted)
  expect(cgroupOf(pidOf(place))).toBe(wanted.ControlGroup)
  const files = ['memory.max', 'memory.low', 'cpu.weight', 'cpu.max', 'pids.max', 'cpuset.cpus']
  expect(files.map((file) => control(place, file))).toEqual([
    String(64 * mebi),
    String(32 * mebi),
    '59',
    '50000 200000',
    '33',
    '0',
  ])

  expect(place.tool(['delete', '-f', place.id])).toMatchObject(done)
  expect(show(scope, 'LoadState')).toEqual({ LoadState: 'not-found' })
  expect(existsSync(join(mount, wanted.ControlGroup))).toBe(false)
  expect(place.leftovers()).toEqual([])
})

test.each([
  ['', 'system.slice/runc-ID.scope'],
  [':runtime:NAME', 'system.slice/runtime-NAME.scope'],
  ['-:runtime:NAME', 'runtime-NAME.scope'],
  ['one-two-three.slice:runtime:NAME', 'one.slice/one-two.slice/one-two-three.slice/runtime-NAME.scope'],
  ['machine.slice::machine-NAME.slice', 'machine.slice/machine-NAME.slice'],
])('cgroupsPath "%s" is %s', (wanted, expected) => {
  // A dash in the name of a slice would be one more level.
  const name = place.id.replace('container-', 'x')
  const cgroupsPath = wanted.replace('NAME', name)
  start('exec sleep 1000', {}, cgroupsPath === '' ? {} : { cgroupsPath })
  const path = `/${expected.replace('NAME', name).replace('ID', place.id)}`
  expect(cgroupOf(pidOf(place))).toBe(path)
  const unit = path.split('/').at(-1) ?? ''
  expect(show(unit, 'ControlGroup', 'ActiveState')).toEqual({ ControlGroup: path, ActiveState: 'active' })
  expect(place.tool(['delete', '-f', place.id])).toMatchObject(done)
  expect(existsSync(join(mount, path))).toBe(false)
  expect(show(unit, 'ActiveState')).toEqual({ ActiveState: 'inactive' })
})

test('annotations set properties of the scope', () => {
  const annotations = {
    'org.systemd.property.TimeoutStopSec': '7',
    'org.systemd.property.Description': "'of the test'",
    'org.systemd.property.After': "['basic.target']",
    'org.systemd.property.MemoryMax': 'uint64 100000000',
  }
  place.configure('exec sleep 1000', { ...withLimits({}), config: { annotations } })
  expect(systemd('run', '-d', '-b', place.bundle, place.id)).toMatchObject(done)
  const shown = show(`runc-${place.id}.scope`, 'TimeoutStopUSec', 'Description', 'After', 'MemoryMax')
  expect(shown).toMatchObject({ TimeoutStopUSec: '7s', Description: 'of the test', MemoryMax: '100000000' })
  expect(shown.After).toContain('basic.target')
})

test('update changes what systemd knows with what the kernel does, and both stay when systemd reloads', () => {
  start('exec sleep 1000', { memory: { limit: 64 * mebi }, pids: { limit: 20 } })
  const update = ['--memory', '48M', '--pids-limit', '30', '--cpu-quota', '30000', '--cpuset-cpus', '0']
  expect(place.tool(['update', ...update, place.id])).toMatchObject(done)
  const wanted = { MemoryMax: String(48 * mebi), TasksMax: '30', CPUQuotaPerSecUSec: '300ms', AllowedCPUs: '0' }
  const files = (): readonly string[] =>
    ['memory.max', 'pids.max', 'cpu.max', 'cpuset.cpus'].map((file) => control(place, file))
  const values = [String(48 * mebi), '30', '30000 100000', '0']
  for (const reload of [false, true]) {
    if (reload) execFileSync('systemctl', ['daemon-reload'])
    expect(show(`runc-${place.id}.scope`, ...Object.keys(wanted))).toEqual(wanted)
    expect(files()).toEqual(values)
  }
})

test('the device filter is the same after systemd has reloaded', () => {
  // CAP_SYSLOG, so that nothing but the cgroup stands before the kernel's log.
  const caps = ['CAP_MKNOD', 'CAP_SYSLOG']
  const capabilities = { bounding: caps, effective: caps, permitted: caps }
  place.configure('mknod /dev/log c 1 11; exec sleep 1000', { ...withLimits({}), process: { capabilities } })
  expect(systemd('run', '-d', '-b', place.bundle, place.id)).toMatchObject(done)
  const read = (): Finished => tool('exec', 'head', '-c', '1', '/dev/log')
  const refused = { end: 1, stderr: expect.stringContaining('/dev/log') }
  expect(read()).toMatchObject(refused)
  execFileSync('systemctl', ['daemon-reload'])
  expect(read()).toMatchObject(refused)
  expect(tool('exec', 'sh', '-c', 'echo > /dev/null')).toMatchObject(done)
})

test('exec joins the scope; pause, resume and kill work on it', async () => {
  start('exec sleep 1000', {}, { namespaces: namespaces.filter(({ type }) => type !== 'cgroup') })
  const path = `/system.slice/runc-${place.id}.scope`
  expect(tool('exec', 'cat', '/proc/self/cgroup')).toEqual({ ...done, stdout: `0::${path}\n` })
  const status = (): string => JSON.parse(tool('state').stdout).status
  expect(tool('pause')).toMatchObject(done)
  expect(status()).toBe('paused')
  expect(control(place, 'cgroup.events')).toContain('frozen 1')
  expect(tool('resume')).toMatchObject(done)
  expect(status()).toBe('running')
  expect(tool('kill', 'KILL')).toMatchObject(done)
  await expect.poll(status, { timeout: 20_000 }).toBe('stopped')
  expect(place.tool(['delete', place.id])).toMatchObject(done)
  expect(place.leftovers()).toEqual([])
})

test('cgroups that the container has made go with the scope', () => {
  start('exec sleep 1000')
  const own = join(mount, cgroupOf(pidOf(place)))
  for (const below of ['x', 'x/y', 'z']) mkdirSync(join(own, below))
  writeFileSync(`${own}/x/y/cgroup.procs`, String(pidOf(place)))
  expect(tool('exec', 'true')).toMatchObject(done)
  expect(place.tool(['delete', '-f', place.id])).toMatchObject(done)
  expect(existsSync(own)).toBe(false)
})

test('a container that ends, or never begins, takes its scope with it', () => {
  place.configure('exit 3', withLimits({}))
  expect(systemd('run', '-b', place.bundle, place.id)).toEqual({ end: 3, stdout: '', stderr: '' })
  expect(units()).toEqual([])
  expect(cgroupsNamed(`runc-${place.id}.scope`)).toEqual([])

  const config = place.configure('', withLimits({}))
  place.write({ ...config, process: { ...config.process, args: ['/nosuch'] } as typeof config.process })
  expect(systemd('run', '-b', place.bundle, place.id)).toMatchObject({
    end: 1,
    stderr: expect.stringContaining('nosuch'),
  })
  expect(units()).toEqual([])
  expect(place.leftovers()).toEqual([])
})

test('the scope of another container is refused and left alone', () => {
  const linux = { cgroupsPath: `system.slice:test:${place.id}` }
  start('exec sleep 1000', {}, linux)
  place.configure('true', withLimits({}, linux))
  expect(systemd('run', '-b', place.bundle, `${place.id}.2`)).toMatchObject({
    end: 1,
    stderr: expect.stringContaining(`test-${place.id}.scope`),
  })
  expect(JSON.parse(tool('state').stdout).status).toBe('running')
  expect(show(`test-${place.id}.scope`, 'ActiveState')).toEqual({ ActiveState: 'active' })
  expect(place.states()).toEqual([place.id])
})

test('without being told, the form of cgroupsPath decides, or that systemd runs', () => {
  const cgroups = ['', 'system.slice:test:NAME', '/test/NAME'].map((wanted) => {
    const cgroupsPath = wanted.replace('NAME', place.id)
    const linux = { cgroupsPath, namespaces: namespaces.filter(({ type }) => type !== 'cgroup') }
    place.configure('cat /proc/self/cgroup', withLimits({}, linux))
    return place.tool(['--cgroup-manager', 'auto', 'run', '-b', place.bundle, place.id]).stdout
  })
  rmdirSync(`${mount}/test`)
  expect(cgroups).toEqual([
    `0::/system.slice/runc-${place.id}.scope\n`,
    `0::/system.slice/test-${place.id}.scope\n`,
    `0::/test/${place.id}\n`,
  ])
})

test('without an answer from the bus nothing is left, and the error says whom it asked', () => {
  place.configure('true', withLimits({}))
  const { DBUS_SYSTEM_BUS_ADDRESS: before } = process.env
  process.env.DBUS_SYSTEM_BUS_ADDRESS = 'unix:path=/nonexistent/bus'
  onTestFinished(() => {
    if (before === undefined) delete process.env.DBUS_SYSTEM_BUS_ADDRESS
    else process.env.DBUS_SYSTEM_BUS_ADDRESS = before
  })
  expect(systemd('run', '-b', place.bundle, place.id)).toMatchObject({
    end: 1,
    stderr: expect.stringContaining('/nonexistent/bus'),
  })
  expect(place.leftovers()).toEqual([])
})

test('--systemd-cgroup refuses what is no unit', () => {
  for (const cgroupsPath of ['/a/b', 'a.slice:b', 'a/b.slice:x:y', 'a.service:x:y', '-a.slice:x:y']) {
    place.configure('true', withLimits({}, { cgroupsPath }))
    expect(systemd('run', '-b', place.bundle, place.id)).toMatchObject({ end: 1, stderr: expect.stringContaining('"') })
  }
})
