import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { configDirectory, homeDirectory } from '../../src/registry/home-directory.ts'
import { requires } from '../requirements.ts'

test('the home is that of the variable, and the configuration is in it unless another variable says', () => {
  expect(homeDirectory({ HOME: '/home/a' })).toBe('/home/a')
  expect(configDirectory({ HOME: '/home/a' })).toBe('/home/a/.config')
  expect(configDirectory({ HOME: '/home/a', XDG_CONFIG_HOME: '/etc/a' })).toBe('/etc/a')
})

requires('root', 'setpriv').test("without the variable a user is not looked for in root's home", () => {
  const tool = join(import.meta.dirname, '../../dist/bundle-tool')
  const words = ['--reuid=54321', '--regid=54321', '--clear-groups', tool, 'inspect', 'docker-archive:/missing']
  const { stderr } = spawnSync('setpriv', words, { env: { PATH: process.env.PATH }, encoding: 'utf8' })
  expect(stderr).not.toContain('/root')
  const named = [
    '--reuid=54321',
    '--regid=54321',
    '--clear-groups',
    tool,
    'unpack',
    'oci:/missing',
    '--out',
    '/tmp/none',
  ]
  const unpacked = spawnSync('setpriv', named, { env: { PATH: process.env.PATH }, encoding: 'utf8' })
  expect(unpacked.stderr).not.toContain('EACCES')
  expect(unpacked.status).toBe(1)
})
