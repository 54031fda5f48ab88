import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, vi } from 'vitest'
import { type ConfigChange, ContainerPlace } from '../container.ts'
import { FakeCriu, parseMessage } from '../fake-criu.ts'
import { requires } from '../requirements.ts'

// The requests to CRIU, and the use of its answers; criu.test.ts has CRIU itself.
const { test } = requires('root', 'busybox', 'perl')

let place: ContainerPlace
let criu: FakeCriu
beforeEach(() => {
  place = new ContainerPlace()
  criu = new FakeCriu(join(place.directory, 'fake'))
  vi.stubEnv('PATH', criu.searchPath)
})
afterEach(async () => {
  await place.close()
  vi.unstubAllEnvs()
})

function run(change: ConfigChange = {}): void {
  place.configure('exec sleep 1000', change)
  expect(place.tool(['run', '-d', '-b', place.bundle, place.id])).toMatchObject({ end: 0 })
}
const state = () => JSON.parse(place.tool(['state', place.id]).stdout)
const checkpoint = (...flags: readonly string[]) => place.tool(['checkpoint', ...flags, place.id])
const restore = (...flags: readonly string[]) => place.tool(['restore', '-d', '-b', place.bundle, ...flags, place.id])
const images = (): string => join(place.directory, 'checkpoint')
const done = { end: 0, stdout: '', stderr: '' }

/** The places of mounts that are the host's, and what they are called or where they come from. */
const externalMounts = (): Record<string, unknown> =>
  Object.fromEntries(
    (criu.request().options.get(23) ?? []).map((pair) => [...parseMessage(String(pair)).values()].flat()),
  )

test('a container that is checkpointed is gone, and CRIU was told what it is', () => {
  mkdirSync(join(place.bundle, 'rootfs/real'))
  symlinkSync('/real', join(place.bundle, 'rootfs/link'))
  const { mounts = [] } = place.configure('')
  run({ config: { mounts: [...mounts, { destination: '/link', source: place.directory, options: ['bind'] }] } })
  const { pid } = state()
  expect(checkpoint('--tcp-established', '--manage-cgroups-mode', 'ignore')).toEqual(done)
  const { type, options } = criu.request()
  expect([type, options.get(2), options.get(5), options.get(34)]).toEqual([1, [pid], [1], [0]])
  expect([options.get(13), options.get(10)]).toEqual([[join(place.bundle, 'rootfs')], ['dump.log']])
  expect(options.get(51)).toEqual(['/etc/criu/runc.conf'])
  expect(externalMounts()).toMatchObject({ '/real': '/real', '/proc/keys': '/dev/null', '/dev/tty': '/dev/tty' })
  expect(JSON.parse(readFileSync(join(images(), 'descriptors.json'), 'utf8'))).toHaveLength(3)
  expect(place.leftovers()).toEqual([])
})

test('a container goes on when its memory alone is saved, when it is left running, and when CRIU fails', () => {
  run({ config: { annotations: { 'org.criu.config': '/etc/own.conf' } } })
  expect(checkpoint('--leave-running', '--image-path', 'a')).toEqual(done)
  expect(criu.request().options.get(51)).toEqual(['/etc/own.conf'])
  expect(checkpoint('--pre-dump', '--image-path', 'b')).toEqual(done)
  expect(criu.request().type).toBe(4)
  expect(externalMounts()).toEqual({})
  expect(checkpoint('--leave-running', '--image-path', 'c', '--parent-path', '../b')).toEqual(done)
  criu.let('fails')
  const { end, stderr } = checkpoint('--work-path', 'work')
  expect(end).toBe(1)
  expect(stderr).toContain('criu failed: errno 5: no such luck')
  expect(stderr).toContain('11:(00.3) Error (criu/x.c:1): no such luck')
  expect(stderr).not.toContain('after')
  criu.let('dies')
  expect(checkpoint()).toMatchObject({ end: 1, stderr: expect.stringContaining('criu failed: it ended') })
  criu.let('lacks')
  expect(checkpoint('--pre-dump').stderr).toContain('criu is missing features: [mem_dirty_track]')
  expect(state().status).toBe('running')
})

test.each([
  [['--parent-path', '/x'], '--parent-path must be relative'],
  [['--parent-path', 'x'], 'invalid --parent-path'],
  [['--manage-cgroups-mode', 'hard'], 'invalid manage-cgroups-mode value'],
  [['--empty-ns', 'mount'], 'is not supported; use --empty-ns network'],
  [['--page-server', 'nowhere'], 'it must be ADDRESS:PORT'],
  [['--lazy-pages', '--status-fd', '77'], 'invalid --status-fd argument 77'],
])('checkpoint %j is refused, before CRIU is asked', (flags, message) => {
  run()
  expect(checkpoint(...flags)).toMatchObject({ end: 1, stderr: expect.stringContaining(message) })
  expect(criu.wasAsked).toBe(false)
  expect(state().status).toBe('running')
})

test('what is not running cannot be checkpointed, and nothing can without CRIU', () => {
  place.configure('exit 0')
  expect(place.tool(['create', '-b', place.bundle, place.id]).end).toBe(0)
  expect(checkpoint()).toMatchObject({ end: 1, stderr: expect.stringContaining('in created state') })
  place.tool(['delete', '-f', place.id])
  run()
  saved()
  vi.stubEnv('PATH', '/bin')
  expect(checkpoint()).toMatchObject({ end: 1, stderr: expect.stringContaining('executable file not found') })
  expect(restore()).toMatchObject({ end: 1, stderr: expect.stringContaining('executable file not found') })
})

/** Images as `checkpoint` leaves them: all of it that is not CRIU's. */
function saved(): void {
  mkdirSync(images())
  writeFileSync(join(images(), 'descriptors.json'), JSON.stringify(['pipe:[77]', '/dev/null', 'pipe:[78]']))
}

test('a restored container has its cgroups, its state and its hooks, and its mounts are found', () => {
  saved()
  const heard = join(place.directory, 'heard')
  const createRuntime = [{ path: '/bin/sh', args: ['sh', '-c', `cat > ${heard}`] }]
  const { mounts = [] } = place.configure('')
  const data = { destination: '/data/new', source: place.directory, options: ['bind'] }
  place.configure('', { config: { mounts: [...mounts, data], hooks: { createRuntime } } })
  expect(restore('--pid-file', 'pid', '--work-path', 'work')).toEqual(done)
  const pid = Number(readFileSync(join(place.directory, 'pid'), 'utf8'))
  expect(state()).toMatchObject({ id: place.id, pid, status: 'running' })
  expect(JSON.parse(readFileSync(heard, 'utf8'))).toMatchObject({ id: place.id, pid, status: 'creating' })
  expect(criu.cgroup).toContain(place.id)
  expect(readFileSync(`/proc/${pid}/cgroup`, 'utf8')).toContain(place.id)
  const { type, options } = criu.request()
  expect([type, options.get(13)]).toEqual([2, [join(place.root, place.id, 'criu-root')]])
  expect((options.get(27) ?? []).map((pair) => [...parseMessage(String(pair)).values()].flat())).toEqual([
    ['pipe:[77]', 0],
    ['pipe:[78]', 2],
  ])
  expect(externalMounts()).toMatchObject({ '/data/new': place.directory, '/dev/null': '/dev/null' })
  expect(statSync(join(place.bundle, 'rootfs/data/new')).isDirectory()).toBe(true)
  expect(place.tool(['delete', '-f', place.id]).end).toBe(0)
  expect(place.leftovers()).toEqual([])
})

test('of a restore that fails nothing is left', () => {
  expect(restore()).toMatchObject({ end: 1, stderr: expect.stringContaining('does not exist; name a directory') })
  saved()
  criu.let('fails')
  place.configure('', { config: { hooks: { createRuntime: [{ path: '/bin/false' }] } } })
  expect(restore()).toMatchObject({ end: 1, stderr: expect.stringContaining('no such luck') })
  expect(place.leftovers()).toEqual([])
  expect(existsSync(join(place.root, place.id))).toBe(false)
})

test('a hook that fails ends the restore', () => {
  saved()
  place.configure('', { config: { hooks: { createRuntime: [{ path: '/bin/false' }] } } })
  expect(restore()).toMatchObject({ end: 1, stderr: expect.stringContaining('error running createRuntime hook #0') })
  expect(place.leftovers()).toEqual([])
})

test('a container whose network is a program is not restored, and nothing of it is left', () => {
  run()
  expect(checkpoint()).toEqual(done)
  place.configure('', { config: { annotations: { 'bundle-tool.network': 'pasta' } } })
  const { end, stderr } = restore()
  expect(end).toBe(1)
  expect(stderr).toContain('cannot restore a container with the network \\"pasta\\"')
  expect(stderr).toContain('use --network host or none')
  expect(place.leftovers()).toEqual([])
  place.configure('')
  expect(restore()).toEqual(done)
})
