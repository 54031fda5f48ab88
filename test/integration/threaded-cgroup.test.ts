import { spawnSync } from 'node:child_process'
import { afterEach, beforeEach, expect } from 'vitest'
import { isAlive, readProcessStat } from '../../src/runtime/proc.ts'
import { readContainer } from '../../src/runtime/state-file.ts'
import { type ConfigChange, ContainerPlace, type Finished } from '../container.ts'
import { requires } from '../requirements.ts'

const { test } = requires('root', 'busybox')

/** In a mount namespace where cgroup v2 is all there is. */
const unified = [
  'unshare',
  '-m',
  'sh',
  '-c',
  'umount -R /sys/fs/cgroup && mount -t cgroup2 cgroup /sys/fs/cgroup && exec "$@"',
  'sh',
]

let place: ContainerPlace
beforeEach(() => {
  place = new ContainerPlace()
})
afterEach(() => {
  tool('delete', '-f', place.id)
  return place.close()
})

const tool = (...args: readonly string[]): Finished => place.tool(args, { under: unified })
const record = () => readContainer(place.root, place.id)
const done = { end: 0, stderr: '' }

/** A container whose processes are all in a threaded cgroup below its own. */
function start(change: ConfigChange = {}): void {
  place.configure('sleep 1000 & exec sleep 2000', change)
  expect(tool('run', '-d', '-b', place.bundle, place.id)).toMatchObject(done)
  const script = `
    cd "$0" && mkdir threads && echo threaded > threads/cgroup.type || exit 1
    until [ "$(wc -l < cgroup.procs)" = 2 ]; do sleep 0.01; done
    for pid in $(cat cgroup.procs); do echo "$pid" > threads/cgroup.procs; done
    ! cat threads/cgroup.procs`
  const [command = '', ...words] = [...unified, 'sh', '-c', script, record().cgroupPaths[''] ?? '']
  const { status, stderr } = spawnSync(command, words, { encoding: 'utf8' })
  expect({ status, stderr }).toEqual({ status: 0, stderr: expect.stringContaining('not supported') })
}

test('ps shows the processes of a container in a threaded cgroup, each once', () => {
  start()
  const { end, stdout, stderr } = tool('ps', '--format', 'json', place.id)
  expect({ end, stderr }).toEqual(done)
  const pids: readonly number[] = JSON.parse(stdout)
  expect(new Set(pids).size).toBe(2)
  expect(pids).toHaveLength(2)
  expect(pids).toContain(record().init.pid)
  expect(tool('ps', place.id, '-eo', 'pid,args')).toMatchObject({
    ...done,
    stdout: expect.stringContaining('sleep 1000'),
  })
})

test('exec, pause, resume, events and update know such a container', () => {
  start()
  expect(tool('exec', place.id, 'sh', '-c', 'grep ^0: /proc/self/cgroup')).toMatchObject(done)
  expect(tool('exec', place.id, 'echo', 'again')).toMatchObject({ ...done, stdout: 'again\n' })
  expect(tool('pause', place.id)).toMatchObject(done)
  expect(JSON.parse(tool('state', place.id).stdout)).toMatchObject({ status: 'paused' })
  expect(tool('resume', place.id)).toMatchObject(done)
  expect(tool('events', '--stats', place.id)).toMatchObject(done)
})

test('kill --all and delete --force end such a container', () => {
  start()
  const { init } = record()
  expect(tool('kill', '--all', place.id, 'KILL')).toMatchObject(done)
  for (let i = 0; isAlive(init) && i < 1000; i++) spawnSync('sleep', ['0.01'])
  expect(isAlive(init)).toBe(false)
  expect(tool('delete', place.id)).toMatchObject(done)
  start()
  expect(tool('delete', '-f', place.id)).toMatchObject(done)
  expect(place.leftovers()).toEqual([])
})

test('a container without a PID namespace is killed whole, threaded cgroups and all', () => {
  const namespaces = (['network', 'ipc', 'uts', 'mount'] as const).map((type) => ({ type }))
  start({ linux: { namespaces } })
  const pids: readonly number[] = JSON.parse(tool('ps', '--format', 'json', place.id).stdout)
  expect(tool('kill', place.id, 'KILL')).toMatchObject(done)
  expect(tool('delete', '-f', place.id)).toMatchObject(done)
  const left = pids.filter((pid) => !['Z', 'X', undefined].includes(readProcessStat(pid)?.state))
  expect(left).toEqual([])
})
