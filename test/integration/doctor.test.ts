import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Finding } from '../../src/verbs/container/doctor.ts'
import { ContainerPlace } from '../container.ts'
import { library } from '../library.ts'
import { requires } from '../requirements.ts'

const tool = join(import.meta.dirname, '../../dist/bundle-tool')

let top = ''
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), 'doctor-'))
  mkdirSync(join(top, 'store'))
})
afterEach(() => rmSync(top, { recursive: true }))

function find(before: readonly string[], env: NodeJS.ProcessEnv = {}): { status: number | null; of: Of } {
  const [program = '', ...words] = [...before, tool, '--root', join(top, 'root'), 'doctor', '--json']
  const { status, stdout, stderr } = spawnSync(program, [...words, '--store', join(top, 'store')], {
    env: { PATH: process.env.PATH, HOME: top, ...env },
    encoding: 'utf8',
  })
  expect(stderr).toBe('')
  const findings: readonly Finding[] = JSON.parse(stdout)
  return { status, of: (name) => findings.find((finding) => finding.name === name) }
}

type Of = (name: string) => Finding | undefined

test('it says of each thing what there is, changes nothing, and fails only where plain use does', () => {
  const { status, of } = find([])
  expect(status).toBe(0)
  expect(of('kernel')).toMatchObject({ status: 'works', says: expect.stringMatching(/^Linux \d/) })
  expect(of('Node.js')?.says).toContain(process.versions.node)
  expect(of('runtime directory')).toMatchObject({ status: 'works', says: join(top, 'root') })
  expect(of('own binaries')?.status).toBe('works')
  expect(readdirSync(top)).toEqual(['store'])
  expect(readdirSync(join(top, 'store'))).toEqual([])
})

test('what is not installed comes with the command that installs it', () => {
  const { of } = find([], { PATH: join(top, 'nothing'), BUNDLE_TOOL_NODE: process.execPath })
  const network = of('user-mode networks')
  if (network?.status === 'missing') expect(network.fix).toMatch(/install passt$|add passt$/)
})

test('the library finds the same', async () => {
  const findings = await library.doctor({ store: join(top, 'store'), root: join(top, 'root') })
  expect(findings.map(({ name }) => name)).toContain('user namespaces')
})

const { describe: rootDescribe } = requires('root', 'unshare', 'setpriv', 'busybox')

rootDescribe('where a switch forbids user namespaces', () => {
  // In a user namespace the limit is its own.
  const forbid = 'echo 0 >/proc/sys/user/max_user_namespaces; exec "$@"'
  const without = ['unshare', '-U', '-r', 'sh', '-c', forbid, 'sh']

  test('doctor names it and the command that changes it, and fails', () => {
    const { status, of } = find(without)
    expect(of('user namespaces')).toEqual({
      name: 'user namespaces',
      status: 'failed',
      says: 'the switch user.max_user_namespaces = 0 forbids them',
      fix: 'sudo sysctl -w user.max_user_namespaces=15000',
    })
    expect(status).toBe(1)
  })

  test('so does the error of a container', () => {
    const place = new ContainerPlace()
    try {
      const spec = ['spec', '--rootless', '-b', place.bundle, '--no-tty', '--', 'true']
      expect(place.tool(spec)).toMatchObject({ end: 0 })
      const { end, stderr } = place.tool(['run', '-b', place.bundle, place.id], { under: without })
      expect(end).toBe(1)
      const said = 'user.max_user_namespaces = 0 forbids user namespaces: sudo sysctl -w user.max_user_namespaces=15000'
      expect(stderr).toContain(said)
    } finally {
      void place.close()
    }
  })
})

describe('as a user without subordinate ids', () => {
  requires('root', 'setpriv', 'newuidmap').test('it says how to have them', () => {
    const { status, of } = find(['setpriv', '--reuid=54321', '--regid=54321', '--clear-groups'])
    expect(status).toBe(1) // the place of the test is root's
    expect(of('subordinate ids')).toMatchObject({
      status: 'missing',
      fix: 'sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 54321',
    })
    expect(of('runtime directory')).toMatchObject({ status: 'failed' })
  })
})
