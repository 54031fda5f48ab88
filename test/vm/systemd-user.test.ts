import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect } from 'vitest'
import type { Resources } from '../../src/oci/runtime-config.ts'
import { ContainerPlace, type Finished } from '../container.ts'
import { requires } from '../requirements.ts'
import { cgroupOf, configureRootless, control, pidOf } from './cgroup-v2.ts'

const { test } = requires('busybox', 'cgroup2', '/run/systemd/system')

const mebi = 2 ** 20
const done = { end: 0, stderr: '' }
const uid = process.getuid?.() ?? 0
const manager = `/user.slice/user-${uid}.slice/user@${uid}.service`

let place: ContainerPlace
beforeEach(() => {
  place = new ContainerPlace()
})
afterEach(() => place.close())

function configure(script: string, resources: Resources = {}): void {
  configureRootless(place, script, { resources })
}

const show = (unit: string, ...names: readonly string[]): Readonly<Record<string, string>> => {
  const args = ['--user', 'show', unit, ...names.flatMap((name) => ['-p', name])]
  const lines = execFileSync('systemctl', args, { encoding: 'utf8' }).trim().split('\n')
  return Object.fromEntries(lines.map((line) => line.split(/=(.*)/).slice(0, 2)))
}
const systemd = (...args: readonly string[]): Finished => place.tool(['--systemd-cgroup', ...args])

test("a user's container is a scope of the user's own manager, with its limits", () => {
  expect(uid).not.toBe(0)
  configure('exec sleep 1000', { memory: { limit: 64 * mebi }, pids: { limit: 20 }, cpu: { shares: 512 } })
  expect(systemd('run', '-d', '-b', place.bundle, place.id)).toMatchObject(done)
  const path = `${manager}/user.slice/runc-${place.id}.scope`
  expect(cgroupOf(pidOf(place))).toBe(path)
  expect(show(`runc-${place.id}.scope`, 'ControlGroup', 'MemoryMax', 'TasksMax', 'CPUWeight')).toEqual({
    ControlGroup: path,
    MemoryMax: String(64 * mebi),
    TasksMax: '20',
    CPUWeight: '59',
  })
  expect(['memory.max', 'pids.max', 'cpu.weight'].map((file) => control(place, file))).toEqual([
    String(64 * mebi),
    '20',
    '59',
  ])

  expect(place.tool(['exec', place.id, 'cat', '/proc/self/cgroup'])).toEqual({ ...done, stdout: '0::/\n' })
  expect(place.tool(['update', '--memory', '48M', place.id])).toMatchObject(done)
  expect(control(place, 'memory.max')).toBe(String(48 * mebi))
  expect(show(`runc-${place.id}.scope`, 'MemoryMax')).toEqual({ MemoryMax: String(48 * mebi) })
  expect(place.tool(['pause', place.id])).toMatchObject(done)
  expect(place.tool(['resume', place.id])).toMatchObject(done)

  expect(place.tool(['delete', '-f', place.id])).toMatchObject(done)
  expect(existsSync(join('/sys/fs/cgroup', path))).toBe(false)
  expect(place.states()).toEqual([])
})

test('a container in the foreground ends with its scope', () => {
  configure('exit 3', { pids: { limit: 20 } })
  expect(systemd('run', '-b', place.bundle, place.id)).toMatchObject({ end: 3, stderr: '' })
  expect(show(`runc-${place.id}.scope`, 'LoadState')).toEqual({ LoadState: 'not-found' })
})

test('a user without a session is told what is missing', () => {
  configure('true')
  const { XDG_RUNTIME_DIR, DBUS_SESSION_BUS_ADDRESS } = process.env
  delete process.env.XDG_RUNTIME_DIR
  delete process.env.DBUS_SESSION_BUS_ADDRESS
  try {
    expect(systemd('run', '-b', place.bundle, place.id)).toMatchObject({
      end: 1,
      stderr: expect.stringContaining('XDG_RUNTIME_DIR is not set'),
    })
  } finally {
    Object.assign(process.env, { XDG_RUNTIME_DIR, DBUS_SESSION_BUS_ADDRESS })
  }
})
