import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect } from 'vitest'
import { ContainerPlace } from '../container.ts'
import { requires } from '../requirements.ts'

const { test } = requires('root', 'busybox')

let place: ContainerPlace
beforeEach(() => {
  place = new ContainerPlace()
})
afterEach(() => place.close())
const config = (): string => join(place.bundle, 'config.json')

test('--config: another file than config.json, by a path from where the caller is; exec reads it too', () => {
  place.configure('exec sleep 1000', { process: { env: ['PATH=/bin', 'FROM=elsewhere'] } })
  const file = join(place.directory, 'other.json')
  renameSync(config(), file)
  for (const [flag, name] of [
    ['--config', 'other.json'],
    ['-f', file],
  ] as const) {
    expect(place.tool(['create', flag, name, '-b', place.bundle, place.id])).toMatchObject({ end: 0, stderr: '' })
    expect(place.tool(['start', place.id])).toMatchObject({ end: 0, stderr: '' })
    const exec = ['exec', place.id, 'sh', '-c', 'echo $FROM']
    expect(place.tool(exec, { cwd: '/' })).toEqual({ end: 0, stdout: 'elsewhere\n', stderr: '' })
    expect(JSON.parse(place.tool(['state', place.id]).stdout).bundle).toBe(place.bundle)
    expect(place.tool(['delete', '-f', place.id])).toMatchObject({ end: 0, stderr: '' })
  }
  expect(existsSync(config())).toBe(false)
})

test('--config: no program is kept for it, and none that was is used', () => {
  place.configure('echo of the bundle')
  const run = ['run', '-b', place.bundle, place.id]
  for (const _ of [1, 2]) expect(place.tool(run).stdout).toBe('of the bundle\n')
  const file = join(place.directory, 'other.json')
  writeFileSync(file, readFileSync(config(), 'utf8').replace('of the bundle', 'of the file'))
  expect(place.tool(['run', '--config', file, '-b', place.bundle, place.id]).stdout).toBe('of the file\n')
  expect(place.tool(run).stdout).toBe('of the bundle\n')
  const missing = place.tool(['run', '--config', '/no/such.json', '-b', place.bundle, place.id])
  expect(missing).toMatchObject({ end: 1, stderr: expect.stringContaining('/no/such.json not found') })
})
