import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, vi } from 'vitest'
import { type ConfigChange, ContainerPlace, type Finished } from '../container.ts'
import { requires } from '../requirements.ts'

const runc = process.env.RUNC ?? 'runc'
const { test } = requires('root', 'busybox', runc)
const ours = join(import.meta.dirname, '../../bin/bundle-tool')

let place: ContainerPlace
beforeEach(() => {
  place = new ContainerPlace()
})
afterEach(() => place.close())

/** Runs a command of a runtime on the state root of the place. */
function call(runtime: string, args: readonly string[]): Finished {
  const [out, err] = ['out', 'err'].map((name) => join(place.directory, name)) as [string, string]
  const { status, signal } = spawnSync(
    '/bin/sh',
    ['-c', 'exec "$@" >"$OUT" 2>"$ERR" </dev/null', 'sh', runtime, '--root', place.root, ...args],
    { env: { ...process.env, OUT: out, ERR: err }, cwd: place.directory, timeout: 30_000 },
  )
  return { end: signal ?? status, stdout: readFileSync(out, 'utf8'), stderr: readFileSync(err, 'utf8') }
}

function done(runtime: string, ...args: readonly string[]): string {
  const { end, stdout, stderr } = call(runtime, args)
  expect({ end, args }, stderr).toEqual({ end: 0, args })
  return stdout
}

const range = [{ containerID: 0, hostID: 100_000, size: 65_536 }]
const configs: Readonly<Record<string, ConfigChange>> = {
  'the default config': {},
  'a user namespace': {
    linux: {
      namespaces: (['pid', 'network', 'ipc', 'uts', 'mount', 'user'] as const).map((type) => ({ type })),
      uidMappings: range,
      gidMappings: range,
    },
  },
  'no namespace of processes': {
    linux: { namespaces: (['network', 'ipc', 'uts', 'mount'] as const).map((type) => ({ type })) },
  },
  'a seccomp filter, a user and limits': {
    process: { user: { uid: 1000, gid: 1000, additionalGids: [7] }, env: ['PATH=/bin', 'A=b'], cwd: '/dev' },
    linux: {
      resources: { memory: { limit: 2 ** 26 }, pids: { limit: 50 } },
      seccomp: {
        defaultAction: 'SCMP_ACT_ALLOW',
        architectures: ['SCMP_ARCH_X86_64'],
        syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 28 }],
      },
    },
  },
}

const looks = [
  'id; pwd; env | sort; grep -E "^(Cap|Seccomp:|NoNewPrivs|Uid|Gid|Groups)" /proc/self/status; cat /proc/self/cgroup',
  'mkdir /dev/shm/x 2>&1; rmdir /dev/shm/x 2>&1; for n in /proc/self/ns/*; do readlink $n; done',
].join('; ')

describe.each([
  ['runc', runc, 'bundle-tool', ours],
  ['bundle-tool', ours, 'runc', runc],
])('a container that %s has made, with', (_, maker, name, other) => {
  describe.each(Object.entries(configs))('%s', (_config, change) => {
    beforeEach(() => {
      place.configure('exec sleep 1000', change)
      if (change.linux?.uidMappings) place.giveRootfsTo(100_000)
      done(maker, 'create', '-b', place.bundle, place.id)
    })

    test(`is shown by ${name} in every status, started, paused, killed and deleted`, async () => {
      const shown = (status: string): void => {
        for (const args of [
          ['state', place.id],
          ['list', '-f', 'json'],
        ]) {
          const theirs = JSON.parse(done(maker, ...args))
          expect(JSON.parse(done(other, ...args))).toEqual(theirs)
          expect([theirs].flat()[0]).toMatchObject({ status, id: place.id, bundle: place.bundle })
        }
        expect(done(other, 'list', '-q')).toBe(done(maker, 'list', '-q'))
      }
      shown('created')
      done(other, 'start', place.id)
      shown('running')
      expect(JSON.parse(done(other, 'ps', '-f', 'json', place.id))).toEqual(
        JSON.parse(done(maker, 'ps', '-f', 'json', place.id)),
      )
      done(other, 'pause', place.id)
      shown('paused')
      done(maker, 'resume', place.id)
      shown('running')
      done(other, 'kill', place.id, 'KILL')
      await vi.waitFor(() => shown('stopped'), { timeout: 20_000 })
      done(other, 'delete', place.id)
      expect(call(maker, ['state', place.id])).toMatchObject({
        end: 1,
        stderr: expect.stringContaining('does not exist'),
      })
      expect(place.leftovers()).toEqual([])
    })

    test(`has further processes run by ${name} like by its own, and is deleted by force`, () => {
      done(maker, 'start', place.id)
      const theirs = done(maker, 'exec', place.id, 'sh', '-c', looks)
      expect(done(other, 'exec', place.id, 'sh', '-c', looks)).toBe(theirs)
      expect(call(other, ['exec', place.id, 'sh', '-c', 'exit 9']).end).toBe(9)
      done(other, 'delete', '-f', place.id)
      expect(place.leftovers()).toEqual([])
    })
  })
})
