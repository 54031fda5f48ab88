import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect } from 'vitest'
import { ContainerPlace } from '../container.ts'
import { requires } from '../requirements.ts'

const { test } = requires('root', 'busybox')

const front = join(import.meta.dirname, '../../bin/bundle-tool')
const tools = '/usr/bin:/bin:/usr/sbin:/sbin'

let place: ContainerPlace
beforeEach(() => {
  place = new ContainerPlace()
  place.configure('sleep 1000')
  expect(place.tool(['run', '-d', '-b', place.bundle, place.id])).toMatchObject({ end: 0, stderr: '' })
})
afterEach(() => place.close())

/** The ways a call can go: Node.js alone, the front with nothing kept, and with a kept program and no Node.js to be found. */
type Way = 'node' | 'cold' | 'warm'

function call(way: Way, ...args: readonly string[]) {
  const [out, err] = ['out', 'err'].map((name) => join(place.directory, name)) as [string, string]
  const tool = way === 'node' ? [process.execPath, `${front}.js`] : [front]
  const { status } = spawnSync(
    '/bin/sh',
    ['-c', 'exec "$@" >"$OUT" 2>"$ERR" </dev/null', 'sh', ...tool, '--root', place.root, ...args],
    {
      env: { PATH: way === 'warm' ? '/nonexistent' : `${dirname(process.execPath)}:${tools}`, OUT: out, ERR: err },
      cwd: place.directory,
      timeout: 20_000,
    },
  )
  const stderr = readFileSync(err, 'utf8').replace(/time="[^"]*" /g, '')
  return { status, stdout: readFileSync(out, 'utf8'), stderr }
}

describe('"--" ends the flags, as with runc', () => {
  const show = ['echo', '-n', 'a', '--', 'b']
  const answer = { status: 0, stdout: 'a -- b', stderr: '' }

  test('between the ID and the command of exec it is no word of the command', () => {
    for (const way of ['cold', 'warm', 'node'] as const) {
      expect(call(way, 'exec', place.id, '--', ...show)).toEqual(answer)
      expect(call(way, 'exec', place.id, ...show)).toEqual(answer)
    }
  })

  test('before the ID it is none either, and then the next one is the command', () => {
    for (const way of ['cold', 'node'] as const) {
      expect(call(way, 'exec', '--', place.id, ...show)).toEqual(answer)
      expect(call(way, '--', 'exec', '--', place.id, ...show)).toEqual(answer)
      expect(call(way, '--', 'exec', place.id, '--', ...show)).toEqual(answer)
      const missing = expect.stringContaining('exec: \\"--\\": executable file not found')
      expect(call(way, 'exec', '--', place.id, '--', ...show)).toMatchObject({ status: 255, stderr: missing })
      expect(call(way, 'exec', place.id, '--', '--', ...show)).toMatchObject({ status: 255, stderr: missing })
    }
  })

  test('without a command behind it exec has none', () => {
    const stderr = expect.stringContaining('process args cannot be empty')
    for (const way of ['cold', 'node'] as const) {
      expect(call(way, 'exec', place.id, '--')).toMatchObject({ status: 255, stderr })
    }
  })

  test.each([
    [['state', '--'], []],
    [['state'], ['--']],
    [['kill', '--'], ['CONT']],
    [['kill'], ['--', 'CONT']],
    [['kill'], ['CONT', '--']],
    [
      ['ps', '--'],
      ['-e', '-o', 'pid'],
    ],
    [['ps'], ['--', '-e', '-o', 'pid']],
    [['events', '--stats', '--'], []],
    [['update', '--pids-limit', '50', '--'], []],
    [['delete', '-f', '--'], []],
    [['--', 'delete', '-f'], ['--']],
  ])('%j ID %j', (before, behind) => {
    for (const way of before.includes('delete') ? (['cold'] as const) : (['cold', 'node'] as const)) {
      expect(call(way, ...before, place.id, ...behind)).toMatchObject({ status: 0, stderr: '' })
    }
  })

  test('a flag behind it is none', () => {
    expect(call('cold', 'delete', '--', place.id, '-f')).toMatchObject({ status: 1 })
    expect(call('cold', '--', '--debug', 'list')).toMatchObject({
      status: 3,
      stderr: expect.stringContaining("No help topic for '--debug'"),
    })
    expect(call('cold', '--log', '--', '--debug', 'state', place.id).status).toBe(0)
  })

  test('run and create take it before their words', () => {
    expect(call('cold', 'delete', '-f', place.id).status).toBe(0)
    for (const words of [
      ['run', '-d', '--', place.bundle],
      ['run', '-d', '-b', place.bundle, '--'],
      ['create', '-b', place.bundle, '--'],
    ]) {
      expect(call('cold', ...words, place.id)).toMatchObject({ status: 0, stderr: '' })
      expect(call('cold', 'delete', '-f', place.id).status).toBe(0)
    }
  })
})
