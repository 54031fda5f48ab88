import { existsSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect } from 'vitest'
import { ContainerPlace, type Finished } from '../container.ts'
import { requires } from '../requirements.ts'
import { cgroupOf, configureRootless, control, mount, pidOf } from './cgroup-v2.ts'

const { test } = requires('busybox', 'cgroup2')

const mebi = 2 ** 20
const done = { end: 0, stderr: '' }
/** The cgroup that is delegated to the user, whose shell is in one below. */
const delegated = dirname(cgroupOf('self'))

let place: ContainerPlace
beforeEach(() => {
  place = new ContainerPlace()
})
afterEach(() => place.close())

const tool = (command: string, ...args: readonly string[]): Finished => place.tool([command, place.id, ...args])

test("in a delegated cgroup a user's container has limits, beside the caller", () => {
  expect(process.getuid?.()).not.toBe(0)
  configureRootless(place, 'exec sleep 1000', { resources: { memory: { limit: 64 * mebi }, pids: { limit: 20 } } })
  expect(place.tool(['run', '-d', '-b', place.bundle, place.id])).toMatchObject(done)
  expect(cgroupOf(pidOf(place))).toBe(`${delegated}/${place.id}`)
  expect(['memory.max', 'pids.max'].map((file) => control(place, file))).toEqual([String(64 * mebi), '20'])
  expect(tool('exec', 'cat', '/proc/self/cgroup')).toEqual({ ...done, stdout: '0::/\n' })
  expect(place.tool(['update', '--pids-limit', '30', place.id])).toMatchObject(done)
  expect(control(place, 'pids.max')).toBe('30')
  expect(tool('pause')).toMatchObject(done)
  expect(control(place, 'cgroup.events')).toContain('frozen 1')
  expect(tool('resume')).toMatchObject(done)
  expect(place.tool(['delete', '-f', place.id])).toMatchObject(done)
  expect(readdirSync(join(mount, delegated))).not.toContain(place.id)
  expect(place.states()).toEqual([])
})

test('what is beyond pids.max cannot be forked, and nothing is left of the container', () => {
  configureRootless(place, 'for i in 1 2 3 4 5 6 7 8 9; do sleep 1000 & done', { resources: { pids: { limit: 6 } } })
  const { end, stderr } = place.tool(['run', '-b', place.bundle, place.id])
  expect({ end, stderr }).toEqual({ end: 2, stderr: expect.stringContaining("can't fork") })
  expect(existsSync(join(mount, delegated, place.id))).toBe(false)
})

test('outside of what is delegated a limit is refused with what would allow it, and none is needed without', () => {
  const cgroupsPath = `/${place.id}`
  configureRootless(place, 'exit 3', { cgroupsPath, resources: { pids: { limit: 6 } } })
  expect(place.tool(['run', '-b', place.bundle, place.id])).toMatchObject({
    end: 1,
    stderr: expect.stringContaining('linux.cgroupsPath'),
  })
  expect(place.states()).toEqual([])
  configureRootless(place, 'exit 3', {})
  expect(place.tool(['run', '-b', place.bundle, place.id])).toEqual({ end: 3, stdout: '', stderr: '' })
})
