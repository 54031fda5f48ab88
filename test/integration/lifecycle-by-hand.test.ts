import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, vi } from 'vitest'
import type { RuntimeConfig } from '../../src/oci/runtime-config.ts'
import { libcontainerState } from '../../src/runtime/libcontainer/config.ts'
import { readProcessStat } from '../../src/runtime/proc.ts'
import { cgroupsNamed } from '../cgroup-directories.ts'
import { library } from '../library.ts'
import { requires } from '../requirements.ts'
import { openWorkshop, type Workshop } from './runc-container.ts'

const { start, state } = library

const { test } = requires('root', 'runc', 'busybox', 'cgroup1')

const id = 'lifecycle-by-hand-test'
const soon = { timeout: 5000, interval: 10 }
let workshop: Workshop
let init: ChildProcess

beforeEach(() => {
  workshop = openWorkshop()
})
afterEach(() => {
  init.kill('SIGKILL')
  workshop.close()
})

/** Makes what `create` makes, with a shell of the test as the container's process; `$1` is the FIFO to wait at. */
function createByHand(config: RuntimeConfig, script: string): void {
  const directory = join(workshop.root, id)
  const fifo = join(directory, 'exec.fifo')
  mkdirSync(directory, { recursive: true })
  execFileSync('mkfifo', ['-m', '622', fifo])
  init = spawn('/bin/sh', ['-c', script, 'sh', fifo], { stdio: 'ignore' })
  const cgroupPaths = Object.fromEntries(
    ['freezer', 'devices', 'pids'].map((controller) => [controller, `/sys/fs/cgroup/${controller}/${id}`]),
  )
  for (const path of Object.values(cgroupPaths)) {
    mkdirSync(path)
    writeFileSync(join(path, 'cgroup.procs'), String(init.pid))
  }
  const registers: Readonly<Record<string, string>> = {
    id,
    pid: String(init.pid),
    start_time: String(readProcessStat(init.pid ?? 0)?.startTime),
    created: '2026-01-02T03:04:05.000000006Z',
    own_pid: '1',
    boot_ticks: '1',
  }
  const pieces = libcontainerState(config, { bundle: workshop.bundle, cgroupPaths })
  const text = pieces.map((piece) => (typeof piece === 'string' ? piece : registers[piece.register])).join('')
  writeFileSync(join(directory, 'state.json'), text)
}

/** The descriptors of this very process. */
const openFiles = (): readonly string[] =>
  readdirSync('/proc/self/fd').flatMap((fd) =>
    existsSync(`/proc/self/fd/${fd}`) ? [readlinkSync(`/proc/self/fd/${fd}`)] : [],
  )

const waiting = 'printf 0 > "$1"; exec sleep 1000'

test('runc lists, shows, starts, pauses, kills and deletes a container whose state.json is ours', async () => {
  createByHand(
    workshop.configure((config) => ({ ...config, annotations: { 'com.example.key': 'value' } })),
    waiting,
  )
  const compare = async (status: string) => {
    const theirs = JSON.parse(workshop.runc('state', id))
    expect(theirs).toMatchObject({ id, status, bundle: workshop.bundle, created: '2026-01-02T03:04:05.000000006Z' })
    expect(await state({ root: workshop.root, id })).toEqual(theirs)
    expect(workshop.runc('list', '-q')).toBe(`${id}\n`)
  }
  await compare('created')
  workshop.runc('start', id)
  await compare('running')
  await vi.waitFor(() => expect(readFileSync(`/proc/${init.pid}/comm`, 'utf8')).toBe('sleep\n'), soon)
  workshop.runc('pause', id)
  await compare('paused')
  workshop.runc('resume', id)
  workshop.runc('kill', id, 'KILL')
  await vi.waitFor(() => compare('stopped'), soon)
  workshop.runc('delete', id)
  expect(existsSync(join(workshop.root, id))).toBe(false)
  expect(cgroupsNamed(id)).toEqual([])
})

test('runc deletes it by force', () => {
  createByHand(workshop.configure(), waiting)
  workshop.runc('delete', '-f', id)
  expect(readProcessStat(init.pid ?? 0)?.state ?? 'gone').toMatch(/^(Z|gone)$/)
  expect(cgroupsNamed(id)).toEqual([])
})

test('start waits for a process that is late', async () => {
  createByHand(workshop.configure(), `sleep 0.2; ${waiting}`)
  await start({ root: workshop.root, id })
  expect((await state({ root: workshop.root, id })).status).toBe('running')
})

test('start does not wait for a process that dies, and can be given up', async () => {
  createByHand(workshop.configure(), 'exec sleep 1000')
  const given = start({ root: workshop.root, id, signal: AbortSignal.timeout(20) })
  await expect(given).rejects.toMatchObject({ name: 'TimeoutError' })
  const started = start({ root: workshop.root, id })
  await vi.waitFor(() => expect(openFiles()).toContain(join(workshop.root, id, 'exec.fifo')), soon)
  init.kill('SIGKILL')
  await expect(started).rejects.toThrow('container process is already dead')
})
