import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect } from 'vitest'
import { ContainerPlace } from '../container.ts'
import { requires } from '../requirements.ts'
import { layoutFiles, makeImage, makeLayer, writeFiles } from '../source/build-image.ts'

const { test } = requires('root', 'busybox')
const tool = join(import.meta.dirname, '../../bin/bundle-tool')

let place: ContainerPlace
beforeEach(() => {
  place = new ContainerPlace()
})
afterEach(() => place.close())

/** Unpacks an image with these settings by the built command line. */
async function unpack(config: Readonly<Record<string, unknown>>) {
  const layer = await makeLayer({ 'etc/passwd': 'root:x:0:0:root:/root:\n', 'bin/sh': { mode: 0o755, body: '' } })
  const image = makeImage([layer], { config: { config } })
  writeFiles(join(place.directory, 'layout'), layoutFiles({ v1: image }))
  const out = join(place.directory, 'out')
  const { status, stderr } = spawnSync(
    tool,
    ['unpack', '--no-tty', `oci:${join(place.directory, 'layout')}`, '--out', out],
    {
      encoding: 'utf8',
    },
  )
  return { status, stderr, out }
}

test.each([
  ['/config/Env/0', { Env: ['A=b\0c'] }],
  ['/config/WorkingDir', { WorkingDir: '/\0' }],
  ['/config/Cmd/0', { Cmd: ['sh\0'] }],
  ['/config/Labels/a', { Labels: { a: '\0' } }],
])('an image with a NUL in %s becomes no bundle', async (pointer, config) => {
  const before = readdirSync(place.directory)
  const { status, stderr, out } = await unpack(config)
  expect({ status, stderr }).toEqual({
    status: 1,
    stderr: expect.stringContaining(`the image config is invalid: ${pointer}: must not contain a NUL character`),
  })
  expect(existsSync(out)).toBe(false)
  expect(readdirSync(place.directory).sort()).toEqual([...before, 'layout'].sort())
})

test('what of the environment names no variable is warned of, and the bundle is one that runs', async () => {
  const { status, stderr, out } = await unpack({ Env: ['A=b', 'nothing'], Cmd: ['/bin/none'] })
  expect({ status, stderr }).toEqual({
    status: 0,
    stderr: expect.stringContaining(
      'warning: "nothing" of the image\'s environment is no NAME=value, and is left out\n',
    ),
  })
  const { stderr: answer } = place.tool(['run', '-b', out, place.id])
  expect(answer).toContain('exec: \\"/bin/none\\": no such file or directory')
})
