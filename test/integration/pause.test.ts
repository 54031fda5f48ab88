import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, vi } from 'vitest'
import { readContainer } from '../../src/runtime/state-file.ts'
import { ContainerPlace } from '../container.ts'
import { library } from '../library.ts'
import { requires } from '../requirements.ts'

const { pause, resume } = library

const { test } = requires('root', 'busybox')
const { test: testWithRunc } = requires('root', 'busybox', 'runc')

const soon = { timeout: 10_000, interval: 10 }
let place: ContainerPlace
beforeEach(() => {
  place = new ContainerPlace()
})
afterEach(() => place.close())

const container = () => ({ root: place.root, id: place.id })
const done = { end: 0, stdout: '', stderr: '' }
const status = (): string => JSON.parse(place.tool(['state', place.id]).stdout).status

function run(script: string): void {
  place.configure(script)
  expect(place.tool(['run', '-d', '-b', place.bundle, place.id])).toMatchObject({ end: 0 })
}

/** A container that lets a file of its rootfs grow, and where to see that. */
function runWriter(): string {
  const config = place.configure('while :; do echo x >> /ticks; done')
  place.write({ ...config, root: { path: 'rootfs' } })
  expect(place.tool(['run', '-d', '-b', place.bundle, place.id])).toMatchObject({ end: 0 })
  return join(place.bundle, 'rootfs/ticks')
}

const growth = async (file: string): Promise<void> => {
  const before = existsSync(file) ? statSync(file).size : 0
  await vi.waitFor(() => expect(existsSync(file) ? statSync(file).size : 0).toBeGreaterThan(before), soon)
}

test('pause stops what the container does, and resume lets it go on', async () => {
  const file = runWriter()
  await growth(file)
  expect(place.tool(['pause', place.id])).toEqual(done)
  expect(status()).toBe('paused')
  const size = statSync(file).size
  // As many scheduler ticks as starting the tool takes.
  expect(status()).toBe('paused')
  expect(statSync(file).size).toBe(size)
  expect(place.tool(['resume', place.id])).toEqual(done)
  expect(status()).toBe('running')
  await growth(file)
})

test('a container that forks without end is paused as a whole', async () => {
  run('while :; do (:) & (:) & wait; done')
  for (let round = 0; round < 20; round++) {
    await pause(container())
    const { cgroupPaths } = readContainer(place.root, place.id)
    if (cgroupPaths.freezer !== undefined) {
      expect(readFileSync(join(cgroupPaths.freezer, 'freezer.state'), 'utf8')).toBe('FROZEN\n')
    } else {
      expect(readFileSync(join(cgroupPaths[''] ?? '', 'cgroup.events'), 'utf8')).toContain('frozen 1')
    }
    await resume(container())
  }
})

test('only what runs can be paused, and only what is paused resumed', async () => {
  run('exec sleep 1000')
  await expect(resume(container())).rejects.toMatchObject({
    code: 'ERR_CONTAINER_STATUS',
    message: expect.stringContaining('not paused'),
  })
  await pause(container())
  await expect(pause(container())).rejects.toMatchObject({
    code: 'ERR_CONTAINER_STATUS',
    message: expect.stringContaining('not running'),
  })
  await resume(container())
  place.tool(['kill', place.id, 'KILL'])
  await vi.waitFor(() => expect(status()).toBe('stopped'), soon)
  await expect(pause(container())).rejects.toMatchObject({
    code: 'ERR_CONTAINER_STATUS',
    message: expect.stringContaining('stopped'),
  })
  await expect(pause({ root: place.root, id: 'nosuch' })).rejects.toMatchObject({ code: 'ERR_CONTAINER_NOT_FOUND' })
})

test('a created container is paused, and starts after it is resumed', async () => {
  place.configure('exec sleep 1000')
  expect(place.tool(['create', '-b', place.bundle, place.id]).end).toBe(0)
  expect(place.tool(['pause', place.id])).toEqual(done)
  expect(place.tool(['start', place.id])).toMatchObject({ end: 1 })
  expect(place.tool(['resume', place.id])).toEqual(done)
  expect(place.tool(['start', place.id])).toEqual(done)
  expect(status()).toBe('running')
})

test('a paused container is deleted by force, without a rest', () => {
  run('sleep 1000 & exec sleep 1000')
  expect(place.tool(['pause', place.id])).toEqual(done)
  expect(place.tool(['delete', '--force', place.id])).toEqual(done)
  expect(place.leftovers()).toEqual([])
})

test('exec is refused in a paused container, or waits when told to', async () => {
  run('exec sleep 1000')
  expect(place.tool(['pause', place.id])).toEqual(done)
  expect(place.tool(['exec', place.id, 'echo', 'ok'])).toMatchObject({
    end: 255,
    stdout: '',
    stderr: expect.stringContaining('cannot exec in a paused container'),
  })
  const child = place.start(['exec', '--ignore-paused', place.id, 'echo', 'ok'])
  const output: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk))
  const closed = new Promise((resolve) => child.on('close', resolve))
  // It has got as far as the frozen cgroup.
  await vi.waitFor(() => expect(place.tool(['ps', '-f', 'json', place.id]).stdout.split(',')).toHaveLength(2), soon)
  expect({ output, code: child.exitCode }).toEqual({ output: [], code: null })
  expect(place.tool(['resume', place.id])).toEqual(done)
  expect(await closed).toBe(0)
  expect(Buffer.concat(output).toString()).toBe('ok\n')
})

testWithRunc('runc pauses and resumes our containers, and we those that it has paused', () => {
  run('exec sleep 1000')
  const runc = (...args: string[]) => execFileSync('runc', ['--root', place.root, ...args], { encoding: 'utf8' })
  runc('pause', place.id)
  expect(status()).toBe('paused')
  expect(place.tool(['resume', place.id])).toEqual(done)
  expect(JSON.parse(runc('state', place.id)).status).toBe('running')
  expect(place.tool(['pause', place.id])).toEqual(done)
  expect(JSON.parse(runc('state', place.id)).status).toBe('paused')
  runc('resume', place.id)
  expect(status()).toBe('running')
})
