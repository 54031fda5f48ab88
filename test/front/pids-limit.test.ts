import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, vi } from 'vitest'
import { ContainerPlace } from '../container.ts'
import { requires } from '../requirements.ts'
import { withoutInterpreter } from './without-node.ts'

const { test } = requires('root', 'busybox', 'cgroup1')

const front = join(import.meta.dirname, '../../bin/bundle-tool')

let place: ContainerPlace
let cgroup: string
beforeEach(() => {
  place = new ContainerPlace()
  cgroup = `/sys/fs/cgroup/pids/limited-${place.id}`
  mkdirSync(cgroup)
})
afterEach(async () => {
  await vi.waitFor(() => rmdirSync(cgroup))
  await place.close()
})

/** Runs the bundle in a cgroup that has room for so many processes and threads. */
function run(limit: number | 'max', env: Readonly<Record<string, string>> = {}) {
  writeFileSync(join(cgroup, 'pids.max'), String(limit))
  const script = 'echo $$ > "$0"/cgroup.procs; exec "$@"'
  const words = [front, '--root', place.root, 'run', '-b', place.bundle, place.id]
  const { status, signal, stderr } = spawnSync('/bin/sh', ['-c', script, cgroup, ...words], {
    env: { PATH: `${dirname(process.execPath)}:/usr/bin:/bin`, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
    timeout: 50_000,
    killSignal: 'SIGKILL',
  })
  return { status, signal, stderr }
}

const failed = (text: string) => ({ status: 1, signal: null, stderr: expect.stringContaining(text) })

test('a kept run that has no process left says which step failed', () => {
  place.configure('exit 3')
  expect(run('max').status).toBe(3)
  expect(run(1)).toEqual(failed('bundle-tool: /linux/namespaces: clone failed with error 11 of errno(3)'))
  expect(run(2).status).toBe(3)
  expect(place.leftovers()).toEqual([])
})

test('a kept run that fails where Node.js cannot explain it ends in time', () => {
  place.configure('exit 3')
  expect(run('max').status).toBe(3)
  rmSync(join(place.bundle, 'rootfs/bin/sh'))
  const plain = 'bundle-tool: /process/args: find_command failed with error 2 of errno(3)'
  expect(run(6, withoutInterpreter)).toEqual(failed(plain))
  expect(place.leftovers()).toEqual([])
})

test('a run that Node.js cannot compile ends in time', () => {
  place.configure('exit 3')
  expect(run(6, withoutInterpreter)).toEqual(failed('nothing was compiled in 30 seconds'))
  expect(existsSync(join(place.root, place.id))).toBe(false)
})
