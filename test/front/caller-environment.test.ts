import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect } from 'vitest'
import { ContainerPlace } from '../container.ts'
import { requires } from '../requirements.ts'
import { front } from './ways.ts'
import { withoutInterpreter } from './without-node.ts'

const { test } = requires('root', 'busybox')

let place: ContainerPlace
let env: Readonly<Record<string, string>>
beforeEach(() => {
  place = new ContainerPlace()
  const bin = file('bin')
  mkdirSync(bin)
  // Takes down what Node.js is given, each time that the front starts it.
  const script = `#!/bin/sh\n/usr/bin/env -0 > "${file('given')}-$$"\nexec ${process.execPath} "$@"\n`
  writeFileSync(join(bin, 'node'), script, { mode: 0o755 })
  writeFileSync(file('evil.cjs'), `require('node:fs').writeFileSync(${JSON.stringify(file('evil'))}, 'ran')`)
  writeFileSync(file('openssl.cnf'), '')
  env = {
    PATH: `${bin}:/usr/bin:/bin:/usr/sbin:/sbin`,
    XDG_CONFIG_HOME: file('config'),
    HOME: place.directory,
    ...hidden(),
    NODE_EXTRA_CA_CERTS: file('certificates'),
    OPENSSL_CONF: file('openssl.cnf'),
    SSL_CERT_FILE: file('certificates'),
  }
  writeFileSync(file('certificates'), '')
})
afterEach(() => place.close())

const file = (name: string): string => join(place.directory, name)

/** Variables that would change which code runs, or how. */
const hidden = (): Readonly<Record<string, string>> => ({
  NODE_OPTIONS: `--require ${file('evil.cjs')}`,
  NODE_PATH: place.directory,
  NODE_V8_COVERAGE: file('coverage'),
  NODE_REDIRECT_WARNINGS: file('warnings'),
  NODE_DEBUG: 'fs,module',
  NODE_DEBUG_NATIVE: 'mksnapshot',
  NODE_CHANNEL_FD: '1',
  NODE_PENDING_DEPRECATION: '1',
  NODE_DISABLE_COLORS: '1',
  NODE_REPL_EXTERNAL_MODULE: file('evil.cjs'),
  NODE_TLS_REJECT_UNAUTHORIZED: '0',
  NODE_ICU_DATA: place.directory,
})

/** With its output in files, which a created container holds open. */
function call(args: readonly string[]) {
  const own = args.map((word) => word.replace(/^env(?=-\d$)/, place.id))
  const { status } = spawnSync('/bin/sh', ['-c', 'exec "$@" >out 2>err', 'sh', front, '--root', place.root, ...own], {
    cwd: place.directory,
    env,
    timeout: 30_000,
  })
  return { status, stderr: readFileSync(file('err'), 'utf8') }
}

/** The environments that Node.js was given since the last time, by name. */
function takeGiven(): readonly Readonly<Record<string, string>>[] {
  return readdirSync(place.directory)
    .filter((name) => name.startsWith('given-'))
    .map((name) => {
      const pairs = readFileSync(file(name), 'utf8').split('\0').filter(Boolean)
      rmSync(file(name))
      return Object.fromEntries(
        pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
      )
    })
}

/** Commands on the containers `env-1` and `env-2`, which are in no other test. */
const runtimeCommands = [
  ['run', '--no-cache', '-b', 'bundle', 'env-1'],
  ['create', '-b', 'bundle', 'env-2'],
  ['exec', 'env-2', 'true'],
  ['ps', 'env-2'],
  ['list'],
  ['state', 'nope'],
  ['events', '--stats', 'env-2'],
  ['update', '--pids-limit', '100', 'env-2'],
  ['explain', '-b', 'bundle'],
  ['features'],
  ['spec', '-b', 'other'],
  ['kill', 'env-2', 'NOPE'],
  ['delete', '-f', 'env-2', 'too many'],
  ['checkpoint', 'nope'],
  ['restore', 'nope'],
  ['--help'],
] as const
const imageCommands = [
  ['images', '--store', 'store'],
  ['unpack', join(import.meta.dirname, '../../fixtures/busybox.tar'), '--store', 'store', '--out', 'unpacked'],
  ['inspect', `oci-archive:${join(import.meta.dirname, '../../fixtures/busybox.tar')}`],
  // Fetched in a thread, which would load what NODE_OPTIONS names as a process does.
  ['pull', 'localhost:1/image', '--store', 'store', '--out', 'pulled'],
] as const

test('Node.js is not given what would change the code that it runs, and no command runs it', () => {
  env = { ...env, ...withoutInterpreter }
  place.configure('true')
  mkdirSync(file('other'))
  for (const args of [...runtimeCommands, ...imageCommands]) {
    const isForImages = (imageCommands as readonly unknown[]).includes(args)
    const { stderr, status } = call(args)
    expect(existsSync(file('evil')), `${args.join(' ')}: ${stderr}`).toBe(false)
    for (const name of ['coverage', 'warnings']) expect(existsSync(file(name)), args.join(' ')).toBe(false)
    const given = takeGiven()
    expect(given.length, `${args.join(' ')}: ${status} ${stderr}`).toBeGreaterThan(0)
    for (const environment of given) {
      const names = Object.keys(environment).filter((name) => name.startsWith('NODE_'))
      expect(names, args.join(' ')).toEqual(isForImages ? ['NODE_EXTRA_CA_CERTS'] : [])
      const { OPENSSL_CONF: openssl, SSL_CERT_FILE: certificates } = environment
      expect({ openssl, certificates }, args.join(' ')).toEqual({
        openssl: isForImages ? file('openssl.cnf') : undefined,
        certificates: file('certificates'),
      })
    }
    expect(stderr, args.join(' ')).not.toMatch(/^(FS|MODULE) \d+:/m)
  }
  expect(call(['delete', '-f', 'env-2']).status).toBe(0)
})

test("hooks and helpers have the caller's environment, whoever runs them", () => {
  const hook = (kind: string) => [{ path: '/bin/sh', args: ['sh', '-c', `env > ${file(kind)}`] }]
  const kinds = ['createRuntime', 'poststart', 'poststop']
  place.configure('true', { config: { hooks: Object.fromEntries(kinds.map((kind) => [kind, hook(kind)])) } })
  const expectCallers = (): void => {
    for (const kind of kinds) {
      const lines = readFileSync(file(kind), 'utf8').split('\n')
      for (const [name, value] of Object.entries(env)) expect(lines, kind).toContain(`${name}=${value}`)
      expect(
        lines.filter((line) => line.startsWith('BUNDLE_TOOL_')),
        kind,
      ).toEqual([])
      rmSync(file(kind))
    }
  }
  // By the front, without and with a kept program; in steps, of which Node.js does the last two.
  for (let i = 0; i < 2; i++) {
    expect(call(['run', '-b', 'bundle', place.id])).toMatchObject({ status: 0, stderr: '' })
    expectCallers()
  }
  for (const args of [
    ['create', '-b', 'bundle', place.id],
    ['start', place.id],
    ['delete', '-f', place.id],
  ]) {
    expect(call(args)).toMatchObject({ status: 0, stderr: '' })
  }
  expectCallers()
  expect(existsSync(file('evil'))).toBe(false)
})

test('a credential helper has it, too', () => {
  const helper = `#!/bin/sh\nenv > ${file('helper')}\necho '{"Username":"","Secret":""}'\n`
  writeFileSync(file('bin/docker-credential-mine'), helper, { mode: 0o755 })
  mkdirSync(file('.docker'))
  writeFileSync(file('.docker/config.json'), JSON.stringify({ credsStore: 'mine' }))
  expect(call(['logout', 'registry.example']).status).toBe(0)
  const lines = readFileSync(file('helper'), 'utf8').split('\n')
  for (const [name, value] of Object.entries(hidden())) expect(lines).toContain(`${name}=${value}`)
})
