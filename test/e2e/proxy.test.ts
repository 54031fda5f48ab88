import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect } from 'vitest'
import { makeAuthority } from '../registry/authority.ts'
import { makeNetwork, type TestNetwork } from '../registry/network.ts'
import { requires } from '../requirements.ts'
import { layoutFiles, makeImage, makeLayer, writeFiles } from '../source/build-image.ts'
import { type Finished, forms, ImageCommands } from './image-command.ts'

const { describe, test } = requires('root', 'busybox', 'nsenter', 'tinyproxy', 'docker-registry', 'openssl')

const address = '10.77.0.1'
const ports = { plain: 5000, tls: 5443, proxy: 8888, guarded: 8889, nothing: 8890 }
const plain = `registry.test:${ports.plain}`
const secure = `registry.test:${ports.tls}`
const proxy = `127.0.0.1:${ports.proxy}`
const guarded = `127.0.0.1:${ports.guarded}`

let commands: ImageCommands
let network: TestNetwork
const at = (name: string) => commands.at(name)
const logOf = (port: number) => at(`tinyproxy-${port}.log`)

/** The registry of Debian, with TLS and without, and two proxies, one of which wants a name and a password. */
beforeAll(async () => {
  commands = new ImageCommands()
  network = await makeNetwork(commands.directory, address, ['registry.test'])
  makeAuthority(commands.directory)
  const trusted = join(commands.directory, '.config/containers/certs.d', secure)
  mkdirSync(trusted, { recursive: true })
  cpSync(at('ca.crt'), join(trusted, 'ca.crt'))
  writeFileSync(
    at('registries.conf'),
    [plain, `${address}:${ports.plain}`]
      .map((host) => `[[registry]]\nlocation = "${host}"\ninsecure = true\n`)
      .join(''),
  )
  await serveRegistry(ports.plain, {})
  await serveRegistry(ports.tls, { tls: { certificate: at('server.crt'), key: at('server.key') } })
  await serveProxy(ports.proxy)
  await serveProxy(ports.guarded, 'BasicAuth me s3cret')
  writeFiles(at('layout'), layoutFiles({ v1: makeImage([await makeLayer({ file: 'x' })]) }))
  for (const host of [plain, secure]) {
    const args = ['push', '--from', `oci:${at('layout')}:v1`, `${host}/team/app:1`]
    expect(await run(forms['bin/bundle-tool.js'], args)).toMatchObject({ status: 0 })
  }
})

afterAll(async () => {
  await network[Symbol.asyncDispose]()
  commands[Symbol.dispose]()
})

beforeEach(() => {
  for (const port of [ports.proxy, ports.guarded]) writeFileSync(logOf(port), '')
  rmSync(at('bundle'), { recursive: true, force: true })
  rmSync(at('store'), { recursive: true, force: true })
})

async function serveRegistry(port: number, http: object): Promise<void> {
  const config = {
    version: '0.1',
    log: { level: 'error' },
    storage: { filesystem: { rootdirectory: at('registry') } },
    http: { addr: `:${port}`, ...http },
  }
  writeFileSync(at(`registry-${port}.yml`), JSON.stringify(config)) // JSON is YAML
  await network.serve(['docker-registry', 'serve', at(`registry-${port}.yml`)], port)
}

async function serveProxy(port: number, ...settings: readonly string[]): Promise<void> {
  const lines = [`Port ${port}`, 'Listen 127.0.0.1', `LogFile "${logOf(port)}"`, 'LogLevel Connect', ...settings]
  writeFileSync(at(`tinyproxy-${port}.conf`), `${lines.join('\n')}\n`)
  writeFileSync(logOf(port), '')
  await network.serve(['tinyproxy', '-d', '-c', at(`tinyproxy-${port}.conf`)], port)
}

function run(form: readonly string[] | undefined, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return commands.run([...network.inside, ...(form ?? [])], args, {
    CONTAINERS_REGISTRIES_CONF: at('registries.conf'),
    ...env,
  })
}

const pull = (form: readonly string[] | undefined, host: string, env: Readonly<Record<string, string>>) =>
  run(form, ['pull', '--quiet', '--out', at('bundle'), '--store', at('store'), `${host}/team/app:1`], env)

function expectPulled(finished: Finished): void {
  expect(finished).toEqual({ status: 0, stdout: expect.any(String), stderr: '' })
  expect(readFileSync(at('bundle/rootfs/file'), 'utf8')).toBe('x')
}

/** The requests that a proxy got, once each. */
function asked(port: number = ports.proxy): readonly string[] {
  const requests = readFileSync(logOf(port), 'utf8').matchAll(/Request \(file descriptor \d+\): (\S+ \S+) HTTP/g)
  return [...new Set([...requests].map(([, request = '']) => request))]
}

const tunnelled = [`CONNECT ${secure}`]

describe.each(Object.entries(forms))('%s', (_, form) => {
  test('a registry of plain http is asked of the proxy', async () => {
    expectPulled(await pull(form, plain, { HTTP_PROXY: `http://${proxy}` }))
    expect(asked()).toContain(`GET http://${plain}/v2/team/app/manifests/1`)
    expect(asked().filter((request) => !request.startsWith(`GET http://${plain}/v2/`))).toEqual([])
  })

  test('a registry of a private authority is reached by a tunnel through the proxy', async () => {
    expectPulled(await pull(form, secure, { HTTPS_PROXY: `http://${proxy}` }))
    expect(asked()).toEqual(tunnelled)
  })

  test('a proxy gets the name and the password of its URL', async () => {
    const through = `http://me:s3cret@${guarded}`
    expectPulled(await pull(form, secure, { HTTPS_PROXY: through }))
    expect(asked(ports.guarded)).toEqual(tunnelled)
    rmSync(at('bundle'), { recursive: true })
    rmSync(at('store'), { recursive: true })
    expectPulled(await pull(form, plain, { HTTP_PROXY: through }))
    expect(asked(ports.guarded)).toContain(`GET http://${plain}/v2/team/app/manifests/1`)
  })
})

const form = forms['bin/bundle-tool.js']

test.each([
  ['HTTPS_PROXY', `http://${proxy}`],
  ['https_proxy', `http://${proxy}/`],
  ['HTTPS_PROXY', proxy],
  ['https_proxy', `localhost:${ports.proxy}`],
])('%s=%s is followed', async (name, value) => {
  expectPulled(await pull(form, secure, { [name]: value, NO_PROXY: 'other.example,192.168.0.0/16' }))
  expect(asked()).toEqual(tunnelled)
})

test('of a variable in both cases the lower one counts', async () => {
  const nowhere = `http://127.0.0.1:${ports.nothing}`
  expectPulled(await pull(form, secure, { HTTPS_PROXY: nowhere, https_proxy: proxy, http_proxy: nowhere }))
  expect(asked()).toEqual(tunnelled)
})

test.each([
  [secure, { NO_PROXY: 'registry.test' }],
  [secure, { NO_PROXY: 'other.example, .test' }],
  [secure, { NO_PROXY: `registry.test:${ports.tls}` }],
  [secure, { no_proxy: '*' }],
  [`${address}:${ports.plain}`, { NO_PROXY: '10.0.0.0/8' }],
  [`${address}:${ports.plain}`, { no_proxy: `${address}:${ports.plain}` }],
])('%s is reached without the proxy with %j', async (host, exceptions) => {
  expectPulled(await pull(form, host, { HTTPS_PROXY: proxy, HTTP_PROXY: proxy, ...exceptions }))
  expect(asked()).toEqual([])
})

test.each([
  [secure, 'registry.test:444,xregistry.test,10.77.0.0/16', tunnelled],
  [`${address}:${ports.plain}`, '10.78.0.0/16,10.77.0.2', [expect.stringContaining(`http://${address}`)]],
])('%s is reached through the proxy with NO_PROXY=%s', async (host, exceptions, requests) => {
  expectPulled(await pull(form, host, { HTTPS_PROXY: proxy, HTTP_PROXY: proxy, NO_PROXY: exceptions }))
  expect(asked()).toEqual(expect.arrayContaining([...requests]))
})

test('this host is reached without the proxy', async () => {
  for (const host of [`127.0.0.1:${ports.plain}`, `localhost:${ports.plain}`]) {
    expect(await run(form, ['list-tags', `${host}/team/app`], { HTTPS_PROXY: proxy, HTTP_PROXY: proxy })).toMatchObject(
      {
        status: 0,
        stdout: '1\n',
      },
    )
  }
  expect(asked()).toEqual([])
})

test('every command goes through it', async () => {
  const env = { HTTPS_PROXY: `http://${proxy}` }
  const image = `${secure}/team/other:1`
  for (const args of [
    ['push', '--from', `oci:${at('layout')}:v1`, image],
    ['inspect', image],
    ['list-tags', `${secure}/team/other`],
    ['copy', image, `oci:${at('copy')}:1`],
    ['copy', `oci:${at('copy')}:1`, `${secure}/team/third:1`],
  ]) {
    writeFileSync(logOf(ports.proxy), '')
    expect(await run(form, args, env), args.join(' ')).toMatchObject({ status: 0 })
    expect(asked(), args.join(' ')).toEqual(tunnelled)
  }
  expect(existsSync(at('copy/index.json'))).toBe(true)
})

test('what a proxy does not do is an error that names it, at once, without its password', async () => {
  for (const [host, name, user, status] of [
    [secure, 'HTTPS_PROXY', 'me:wr0ng@', 401],
    [secure, 'HTTPS_PROXY', '', 407],
    [plain, 'HTTP_PROXY', '', 407],
  ] as const) {
    const begun = Date.now()
    const refused = await pull(form, host, { [name]: `http://${user}${guarded}` })
    const refusal = `: the proxy http://${guarded} requires a valid user name and password (${status})\n`
    expect(refused).toMatchObject({ status: 1, stderr: expect.stringContaining(refusal) })
    expect(refused.stderr).toContain(`hint: write them into HTTP_PROXY and HTTPS_PROXY`)
    expect(refused.stderr).not.toContain('wr0ng')
    expect(Date.now() - begun).toBeLessThan(5000)
  }
  const nowhere = `http://127.0.0.1:${ports.nothing}`
  expect(await pull(form, secure, { HTTPS_PROXY: nowhere })).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(
      `through the proxy ${nowhere}: .*ECONNREFUSED.*\\n +hint: check the address of the proxy`,
    ),
  })
  expect(await pull(form, secure, { HTTPS_PROXY: 'socks5://me:wr0ng@127.0.0.1' })).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/^error: HTTPS_PROXY names a proxy of the kind "socks5"\n/),
  })
  expect(execFileSync('find', [commands.directory, '-name', 'bundle'], { encoding: 'utf8' })).toBe('')
})
