import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { requires } from '../requirements.ts'
import { collidingKeys } from './colliding-keys.ts'

/** State files, profiles and resources of somebody else keep no command busy, and get the same answer in both engines. */
const { test } = requires('interpreter')

const project = join(import.meta.dirname, '../..')
const ways = {
  node: [process.execPath, join(project, 'bin/bundle-tool.js')],
  interpreter: [join(project, 'dist/bundle-tool-interpreter'), join(project, 'dist/bin/bundle-tool.js')],
}

let root: string
let bundle: string
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'hostile-'))
  bundle = join(root, 'bundle')
  mkdirSync(bundle)
  spawnSync(process.execPath, [join(project, 'bin/bundle-tool.js'), 'spec', '-b', bundle])
})
afterAll(() => rmSync(root, { recursive: true }))

function answers(args: readonly string[], input = '') {
  const [node, interpreter] = Object.values(ways).map(([binary = '', ...words]) => {
    const options = { input, encoding: 'utf8', timeout: 50_000, env: { PATH: '/usr/bin:/bin' } } as const
    const { status, signal, stdout, stderr } = spawnSync(binary, [...words, '--root', root, ...args], options)
    // Strings are counted by hashes that differ from call to call.
    return {
      end: signal ?? status,
      stdout,
      stderr: stderr.replace(/time="[^"]*"/, '').replace(/column \d+: there are/, 'there are'),
    }
  })
  expect(interpreter).toEqual(node)
  return node
}

const varied = JSON.stringify(Object.fromEntries(collidingKeys(100_000).map((key) => [key, 1])))
const documents = {
  'keys that collide': varied,
  'lists in lists': '['.repeat(100_000) + ']'.repeat(100_000),
  'objects in objects': `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`,
  'a number beyond 64 bits': '{"id":"x","init_process_pid":99999999999999999999999}',
  'half a character': '{"id":"\\ud800"}',
  'a prototype': '{"__proto__":{"id":"x"}}',
  'no object': 'null',
}

describe.each(Object.entries(documents))('%s', (name, text) => {
  test('as state.json', { timeout: 400_000 }, () => {
    const id = name.replaceAll(' ', '-')
    mkdirSync(join(root, id))
    writeFileSync(join(root, id, 'state.json'), text)
    for (const command of ['state', 'kill', 'ps', 'resume']) answers([command, id])
    rmSync(join(root, id), { recursive: true })
  })

  test('as a seccomp profile, and as resources', () => {
    const profile = join(root, 'profile')
    writeFileSync(profile, text)
    answers(['config', '-b', bundle, '--security-opt', `seccomp=${profile}`, '--show'])
    answers(['update', '-r', profile, 'nobody'])
  })
})
