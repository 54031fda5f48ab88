import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect } from 'vitest'
import { isSystemError } from '../../src/errors.ts'
import { cgroupsNamed } from '../cgroup-directories.ts'
import { ContainerPlace } from '../container.ts'
import { requires } from '../requirements.ts'
import { front } from './ways.ts'

const { test } = requires('root', 'busybox', 'prlimit')

let place: ContainerPlace
let id: string
beforeEach(() => {
  place = new ContainerPlace()
  id = `${place.id}-limited`
  place.configure('sleep 1000')
  expect(place.tool(['run', '-d', '-b', place.bundle, place.id])).toMatchObject({ end: 0, stderr: '' })
})
afterEach(() => place.close())

/** Calls the front with this limit of descriptors, and the three that it is given. */
function call(limit: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const [out, err] = ['limited-out', 'limited-err'].map((name) => join(place.directory, name)) as [string, string]
  const words = ['prlimit', `--nofile=${limit}`, front, '--root', place.root, ...args]
  const { status, signal } = spawnSync('/bin/sh', ['-c', 'exec "$@" </dev/null >"$OUT" 2>"$ERR"', 'sh', ...words], {
    cwd: place.directory,
    env: { PATH: `${dirname(process.execPath)}:/usr/bin:/bin`, OUT: out, ERR: err, ...env },
    timeout: 20_000,
  })
  return { status, signal, stdout: readFileSync(out, 'utf8'), stderr: readFileSync(err, 'utf8') }
}

const left = (): readonly string[] => [
  ...place.states().filter((name) => name !== place.id),
  ...cgroupsNamed(id),
  ...readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name)) return false
    try {
      return readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0').includes(id)
    } catch (error) {
      if (isSystemError(error, 'ENOENT', 'ESRCH')) return false // it has ended
      throw error
    }
  }),
]

const limits = Array.from({ length: 22 }, (_, index) => 3 + index)
const commands: Readonly<Record<string, () => readonly string[]>> = {
  run: () => ['run', '-b', place.bundle, id],
  create: () => ['create', '-b', place.bundle, id],
  exec: () => ['exec', place.id, 'true'],
  state: () => ['state', place.id],
  list: () => ['list'],
}

describe.each(Object.entries(commands))('%s', (name, words) => {
  test.each(['without', 'with'])(
    `with few descriptors works or says in a line why it does not, %s a kept program`,
    (kept) => {
      place.configure('true')
      if (kept === 'with') {
        call('1024', words())
        place.tool(['delete', '-f', id])
      }
      for (const limit of limits) {
        const { status, signal, stderr } = call(`${limit}:${limit}`, words())
        const where = `${limit}: ${status} ${stderr}`
        expect(signal, where).toBe(null)
        if (status === 0) expect(stderr, where).toBe('')
        else {
          expect(stderr, where).toMatch(/^[^\n]*descriptors[^\n]*\n$/)
          expect(status, where).toBe(name === 'exec' ? 255 : 1)
        }
        if (name === 'create' && status === 0) place.tool(['delete', '-f', id])
        expect(left(), where).toEqual([])
      }
    },
  )
})

test('a limit that can be raised is, for Node.js alone', () => {
  const inside = 'ulimit -Sn; ulimit -Hn'
  place.configure(inside, { process: { rlimits: [] } })
  const run = ['run', '-b', place.bundle, id]
  for (const soft of [40, 64]) {
    // Compiled, kept, and in the place of a service manager's child, whose runner Node.js starts.
    for (const env of [{}, {}, { LISTEN_FDS: '0' }]) {
      expect(call(`${soft}:4096`, run, env)).toMatchObject({ status: 0, stdout: `${soft}\n4096\n`, stderr: '' })
    }
  }
  expect(call('8:4096', ['list'])).toMatchObject({ status: 0, stderr: '' })
  expect(
    call('8:4096', ['inspect', `oci-archive:${join(import.meta.dirname, '../../fixtures/busybox.tar')}`]),
  ).toMatchObject({
    status: 0,
    stderr: '',
  })
  const { status, stderr } = call('8:4096', run)
  expect(stderr).toMatch(
    /^time="[^"]*" level=error msg="[^\n]*too few file descriptors are allowed: it takes \d+; raise RLIMIT_NOFILE: ulimit -n"\n$/,
  )
  expect(status).toBe(1)
})
