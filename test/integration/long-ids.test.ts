import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, vi } from 'vitest'
import { cgroupsNamed } from '../cgroup-directories.ts'
import { ContainerPlace } from '../container.ts'
import { requires } from '../requirements.ts'

const { test } = requires('root', 'busybox')
const front = join(import.meta.dirname, '../../bin/bundle-tool')

let place: ContainerPlace
beforeEach(() => {
  place = new ContainerPlace()
  mkdirSync(place.root)
})
afterEach(() => place.close())

function call(...args: readonly string[]): string {
  const [out, err] = ['out', 'err'].map((name) => join(place.directory, name)) as [string, string]
  const { status } = spawnSync(
    '/bin/sh',
    ['-c', 'exec "$@" >"$OUT" 2>"$ERR"', 'sh', front, '--root', place.root, ...args],
    {
      env: { OUT: out, ERR: err, PATH: `${dirname(process.execPath)}:/usr/bin:/bin` },
      timeout: 30_000,
    },
  )
  expect({ command: args[0], status, stderr: readFileSync(err, 'utf8') }).toEqual({
    command: args[0],
    status: 0,
    stderr: '',
  })
  return readFileSync(out, 'utf8')
}

// The keyring's description, the front and the file system have their ends at these.
test.each([229, 230, 254, 255])('an ID of %i characters goes through every command', async (length) => {
  const id = place.id.padEnd(length, 'x')
  const status = () => JSON.parse(call('state', id)).status
  place.configure('exec sleep 1000', { linux: { maskedPaths: [] } })
  for (const kept of [false, true]) {
    call('create', '--pid-file', join(place.directory, `pid-${kept}`), '-b', place.bundle, id)
    expect(status()).toBe('created')
    expect(JSON.parse(call('list', '-f', 'json'))).toMatchObject([{ id, status: 'created' }])
    call('start', id)
    expect(call('exec', id, 'cat', '/proc/keys')).toMatch(new RegExp(` 3f1b0000 .* _ses\\.${id}: empty$`, 'm'))
    expect(call('exec', id, 'echo', 'again')).toBe('again\n')
    expect(call('ps', id)).toContain('sleep 1000')
    call('update', '--pids-limit', '100', id)
    expect(JSON.parse(call('events', '--stats', id))).toMatchObject({ id, data: { pids: { limit: 100 } } })
    call('pause', id)
    expect(status()).toBe('paused')
    call('resume', id)
    call('kill', id, 'KILL')
    await vi.waitFor(() => expect(status()).toBe('stopped'), 10_000)
    call('delete', id)
    place.configure('echo ran')
    expect(call('run', '-b', place.bundle, id)).toBe('ran\n')
    place.configure('exec sleep 1000', { linux: { maskedPaths: [] } })
    call('run', '--detach', '-b', place.bundle, id)
    call('delete', '--force', id)
  }
  expect(cgroupsNamed(id)).toEqual([])
  expect(place.leftovers()).toEqual([])
})

test('an ID of 256 characters is refused by each of them', () => {
  const id = place.id.padEnd(256, 'x')
  place.configure('true')
  for (const args of [
    ['create', '-b', place.bundle, id],
    ['run', '-b', place.bundle, id],
    ...['state', 'start', 'kill', 'pause', 'resume', 'ps', 'delete'].map((command) => [command, id]),
    ['delete', '--force', id],
    ['exec', id, 'true'],
    ['update', '--pids-limit', '5', id],
    ['events', '--stats', id],
  ]) {
    const { end, stderr } = place.tool(args)
    expect({ args, end: end === 0 }, stderr).toEqual({ args, end: false })
    expect(stderr).toContain('invalid container ID format')
  }
})
