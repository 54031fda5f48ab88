import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect } from 'vitest'
import { ContainerPlace } from '../container.ts'
import { requires } from '../requirements.ts'

/** A file that is not regular, in the place of one that is read: nobody waits for it, and no more is read than a limit. */
const { test } = requires('root', 'busybox', 'mkfifo', 'python3')

const front = join(import.meta.dirname, '../../bin/bundle-tool')

let place: ContainerPlace
beforeEach(() => {
  place = new ContainerPlace()
  place.configure('sleep 1000')
})
afterEach(() => place.close())

const specials: Readonly<Record<string, (path: string) => void>> = {
  'a FIFO': (path) => {
    spawnSync('mkfifo', [path])
  },
  'a link to /dev/zero': (path) => symlinkSync('/dev/zero', path),
  'a socket': (path) => {
    spawnSync('python3', ['-c', `import socket; socket.socket(socket.AF_UNIX).bind("${path}")`])
  },
  'a directory': (path) => mkdirSync(path),
  'a file without an end': (path) => {
    writeFileSync(path, '{')
    truncateSync(path, 2 ** 40)
  },
}

function call(...args: readonly string[]) {
  const { status, signal, stdout, stderr } = spawnSync(front, ['--root', place.root, ...args], {
    env: { PATH: `${dirname(process.execPath)}:/usr/bin:/bin` },
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
    timeout: 20_000,
  })
  return { status, signal, stdout, stderr }
}

function replace(path: string, make: (path: string) => void): void {
  rmSync(path, { recursive: true, force: true })
  make(path)
}

describe.each(Object.entries(specials))('%s', (_, make) => {
  test('in place of config.json is refused by its name', () => {
    const path = join(place.bundle, 'config.json')
    replace(path, make)
    for (const args of [
      ['run', '-b', place.bundle, place.id],
      ['explain', '-b', place.bundle],
    ]) {
      const { status, signal, stderr } = call(...args)
      expect({ status, signal }, args[0]).toEqual({ status: 1, signal: null })
      expect(stderr).toContain(path)
    }
    expect(place.leftovers()).toEqual([])
  })

  test('in place of state.json or of the record of the front is passed by', () => {
    place.tool(['run', '-d', '-b', place.bundle, place.id])
    const [state, record] = ['state.json', '.front'].map((name) => join(place.root, place.id, name))
    spawnSync('cp', [state ?? '', `${place.directory}/state`])
    replace(record ?? '', make)
    expect(call('state', place.id)).toMatchObject({ status: 0, stdout: expect.stringContaining('running') })
    replace(state ?? '', make)
    for (const args of [
      ['state', place.id],
      ['kill', place.id, 'KILL'],
      ['exec', place.id, 'true'],
    ]) {
      const { status, signal, stderr } = call(...args)
      expect({ status: status !== 0, signal, stderr: stderr.includes('state.json') }, args[0]).toEqual({
        status: true,
        signal: null,
        stderr: true,
      })
    }
    expect(call('list').signal).toBe(null)
    for (const path of [state, record]) rmSync(path ?? '', { recursive: true })
    spawnSync('cp', [`${place.directory}/state`, state ?? ''])
  })

  test('in place of a kept program is passed by', () => {
    place.configure('exit 3')
    const run = () => call('run', '-b', place.bundle, place.id)
    expect(run().status).toBe(3)
    for (const name of readdirSync(place.root).filter((each) => each.startsWith('.program-'))) {
      replace(join(place.root, name), make)
    }
    expect(run()).toMatchObject({ status: 3, signal: null, stderr: '' })
  })
})
