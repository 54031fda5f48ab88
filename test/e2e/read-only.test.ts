import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { requires } from '../requirements.ts'
import { layoutFiles, makeImage, makeLayer, makeTar } from '../source/build-image.ts'
import { forms, ImageCommands } from './image-command.ts'

const { test } = requires('root', 'unshare')

const tool = forms['dist/bundle-tool']?.[0] ?? ''
const here = new ImageCommands()
beforeAll(async () => {
  const image = makeImage([await makeLayer({ file: 'content' })])
  writeFileSync(here.at('image.tar'), await makeTar(layoutFiles({ one: image })))
  spawnSync('mkdir', ['-p', here.at('read-only')])
})
afterAll(() => here[Symbol.dispose]())

/** Calls the tool where the directory `read-only` is one, with a store in it that has been made before. */
function call(...args: readonly string[]) {
  const script = `mount -t tmpfs none read-only &&
    "$TOOL" images --store read-only/store >made && mount -o remount,ro read-only && exec "$TOOL" "$@"`
  const { status, stdout, stderr } = spawnSync('unshare', ['-m', 'sh', '-c', script, 'sh', ...args], {
    cwd: here.directory,
    encoding: 'utf8',
    env: { PATH: process.env.PATH, HOME: here.directory, CONTAINERS_REGISTRIES_CONF: '/dev/null', TOOL: tool },
  })
  return { status, stdout, stderr }
}

const remote = 'nowhere.invalid/app'
const isReadOnly = 'the file system is read-only (EROFS)'
const place = join(here.directory, 'read-only')

describe('a place where nothing can be written is found out before anything is fetched', () => {
  test.each([
    [
      'pull',
      ['pull', remote, '--out', 'read-only/b', '--store', 'store'],
      `cannot make a bundle in ${place}: ${isReadOnly}`,
    ],
    [
      'pull, deeper',
      ['pull', remote, '--out', 'read-only/a/b', '--store', 'store'],
      `cannot make a bundle in ${place}/a: ${place}: ${isReadOnly}`,
    ],
    [
      'pull, its new store',
      ['pull', remote, '--out', 'b', '--store', 'read-only/new'],
      `cannot use the store read-only/new: read-only/new: ${isReadOnly}`,
    ],
    [
      'pull, its store',
      ['pull', remote, '--out', 'b', '--store', 'read-only/store'],
      `cannot write to the store read-only/store: ${place}/store: ${isReadOnly}`,
    ],
    ['unpack', ['unpack', 'image.tar', '--out', 'read-only/b'], `cannot make a bundle in ${place}: ${isReadOnly}`],
    [
      'prune',
      ['prune', '--store', 'read-only/store'],
      `cannot write to the store read-only/store: ${place}/store: ${isReadOnly}`,
    ],
    [
      'rmi',
      ['rmi', 'app', '--store', 'read-only/store'],
      `cannot write to the store read-only/store: ${place}/store: ${isReadOnly}`,
    ],
    [
      'copy to a layout',
      ['copy', remote, 'oci:read-only/a/b'],
      `cannot write oci:read-only/a/b: ${place}: ${isReadOnly}`,
    ],
    [
      'copy to an archive',
      ['copy', remote, 'oci-archive:read-only/a'],
      `cannot write oci-archive:read-only/a: ${place}: ${isReadOnly}`,
    ],
    [
      'copy of a file',
      ['copy', 'image.tar', 'docker-archive:read-only/a'],
      `cannot write docker-archive:read-only/a: ${place}: ${isReadOnly}`,
    ],
    ['export', ['export', remote, '-o', 'read-only/a'], `cannot write ${place}/a: ${place}: ${isReadOnly}`],
    [
      'export to nowhere',
      ['export', remote, '-o', 'none/a'],
      `cannot write ${here.directory}/none/a: ${here.directory}/none: there is no such directory (ENOENT)`,
    ],
    [
      'a store in a file',
      ['pull', remote, '--out', 'b', '--store', 'image.tar/x'],
      'cannot use the store image.tar/x: image.tar/x: a part of the path is no directory (ENOTDIR)',
    ],
  ])('%s', (_, args, message) => {
    const { status, stdout, stderr } = call(...args)
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
    expect(stderr.split('\n')).toEqual([`error: ${message}`, expect.stringMatching(/^ {2}hint: (?:name|choose) /), ''])
  })

  test('what only reads goes on', () => {
    expect(call('images', '--store', 'read-only/store')).toMatchObject({ status: 0, stderr: '' })
    expect(call('verify', '--store', 'read-only/store')).toMatchObject({ status: 0 })
  })
})
