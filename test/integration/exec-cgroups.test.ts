import { mkdirSync, readdirSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect } from 'vitest'
import { ContainerPlace } from '../container.ts'
import { requires } from '../requirements.ts'

const { test } = requires('root', 'busybox', 'cgroup1')

const parent = '/bundle-tool-exec-test'
let place: ContainerPlace
let path = ''

beforeEach(() => {
  place = new ContainerPlace()
  path = `${parent}/${place.id}`
  place.configure('exec sleep 1000', { linux: { cgroupsPath: path } })
  expect(place.tool(['run', '-d', '-b', place.bundle, place.id])).toMatchObject({ end: 0 })
})
afterEach(async () => {
  await place.close()
  for (const hierarchy of readdirSync('/sys/fs/cgroup')) {
    try {
      rmdirSync(join('/sys/fs/cgroup', hierarchy, parent))
    } catch {} // not a hierarchy of its own, or a link to one that is done
  }
})

const exec = (...args: readonly string[]) => place.tool(['exec', ...args])
const showCgroups = ['cat', '/proc/self/cgroup'] as const

test('a process joins the cgroups of its container, all of them', () => {
  for (const flags of [[], ['--cgroup', '/']]) {
    const { end, stdout } = exec(...flags, place.id, ...showCgroups)
    expect(end).toBe(0)
    for (const line of stdout.trim().split('\n')) expect(line.endsWith(`:${path}`), line).toBe(true)
  }
})

test('--cgroup takes it to a cgroup below, by controller', () => {
  mkdirSync(`/sys/fs/cgroup/memory${path}/submem`)
  mkdirSync(`/sys/fs/cgroup/pids${path}/deep`)
  mkdirSync(`/sys/fs/cgroup/pids${path}/deep/er`)
  const flags = ['--cgroup', 'memory:submem', '--cgroup', 'pids:/deep/er']
  const { stdout } = exec(...flags, place.id, ...showCgroups)
  expect(stdout).toMatch(new RegExp(`memory:${path}/submem$`, 'm'))
  expect(stdout).toMatch(new RegExp(`pids:${path}/deep/er$`, 'm'))
  expect(stdout).toMatch(new RegExp(`devices:${path}$`, 'm'))
})

test.each([
  [['--cgroup', '..'], 'bad sub cgroup path: .. is not a sub cgroup path'],
  [['--cgroup', 'memory:a/../../b'], 'bad sub cgroup path: a/../../b is not a sub cgroup path'],
  [['--cgroup', 'memory:nonexistent'], /error adding pid to cgroups: \S+nonexistent\S*: no such file or directory/],
  [['--cgroup', 'nonexistent'], /error adding pid to cgroups: \S+nonexistent\S*: no such file or directory/],
  [['--cgroup', 'nosuch:/'], 'unknown controller nosuch'],
  [['--cgroup', 'a', '--cgroup', 'b'], 'missing <controller>: prefix'],
  [['--cgroup', 'memory,:a'], 'empty <controller> prefix'],
  [['--cgroup', 'memory:a', '--cgroup', 'memory:b'], 'controller memory specified multiple times'],
  [['--pidfd-socket', 'x'], '--pidfd-socket'],
])('%j is refused with 255', (flags, message) => {
  const { end, stderr } = exec(...flags, place.id, 'true')
  expect(end).toBe(255)
  expect(stderr).toMatch(message)
})
