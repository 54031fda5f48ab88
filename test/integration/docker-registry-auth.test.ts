import { execFileSync } from 'node:child_process'
import { createPrivateKey, sign } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest'
import { tool } from '../e2e/engine-place.ts'
import { library } from '../library.ts'
import { makeAuthority } from '../registry/authority.ts'
import { startDockerRegistry } from '../registry/docker-registry.ts'
import { requires } from '../requirements.ts'
import { layoutFiles, makeImage, makeLayer, writeFiles } from '../source/build-image.ts'

const { listTags, login, logout, pull, push } = library

process.env.BUNDLE_TOOL_RUNNER ??= join(import.meta.dirname, '../../dist/bundle-tool-runner')

const { test } = requires('docker-registry', 'openssl', 'skopeo')

const certificates = mkdtempSync(join(tmpdir(), 'authority-'))
beforeAll(() => makeAuthority(certificates))
afterAll(() => rmSync(certificates, { recursive: true }))

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'registry-auth-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))
const at = (name: string) => join(directory, name)
const env = () => ({ HOME: directory, DOCKER_CONFIG: at('docker'), CONTAINERS_REGISTRIES_CONF: '/dev/null' })

/** Expects that the registry refuses calls without credentials, and answers those with the ones of `login`. */
async function expectGuarded(host: string, credentials: { username: string; password: string }): Promise<void> {
  writeFiles(at('layout'), layoutFiles({ v1: makeImage([await makeLayer({ file: 'x' })]) }))
  const from = `oci:${at('layout')}:v1`
  const image = `${host}/team/app:1`
  const pullTo = (out: string, options: object = {}) =>
    pull(image, { out: at(out), store: at(`${out}-store`), platform: 'linux/amd64', env: env(), ...options })
  const refused = { code: 'ERR_REGISTRY_AUTH', hint: expect.stringContaining(`login ${host}`) }
  await expect(push(image, { from, env: env() })).rejects.toMatchObject(refused)
  await expect(pullTo('anonymous')).rejects.toMatchObject(refused)
  await expect(login(host, { username: credentials.username, password: 'wr0ng', env: env() })).rejects.toMatchObject({
    code: 'ERR_REGISTRY_AUTH',
    message: expect.not.stringContaining('wr0ng'),
    hint: expect.stringMatching(/^check the user name and the password$|login/),
  })
  await login(host, { ...credentials, env: env() })
  await push(image, { from, env: env() })
  expect((await listTags(`${host}/team/app`, { env: env() })).tags).toEqual(['1'])
  await pullTo('bundle')
  expect(readFileSync(at('bundle/rootfs/file'), 'utf8')).toBe('x')
  await logout(host, { env: env() })
  await expect(pullTo('gone')).rejects.toMatchObject(refused)
  await pullTo('given', { credentials: `${credentials.username}:${credentials.password}` })
  const auth = Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')
  const inEnvironment = { ...env(), DOCKER_AUTH_CONFIG: JSON.stringify({ auths: { [host]: { auth } } }) }
  await pullTo('from-env', { env: inEnvironment })
  for (const name of ['anonymous', 'gone']) expect(existsSync(at(name))).toBe(false)
}

test('docker-registry with htpasswd, over TLS of a private authority', { timeout: 600_000 }, async () => {
  // The name `me` and the password `secret`.
  const line = 'me:$2b$04$5kBs5bQP3XJpzNAJ9rNT8uknls/mXYqEHss7z.FfUBqzKhdr0TA5m\n'
  writeFileSync(at('htpasswd'), line)
  await using registry = await startDockerRegistry(at('registry'), {
    auth: { htpasswd: { realm: 'test', path: at('htpasswd') } },
    tls: { certificate: join(certificates, 'server.crt'), key: join(certificates, 'server.key') },
  })
  const trusted = join(directory, '.config/containers/certs.d', registry.host)
  mkdirSync(trusted, { recursive: true })
  cpSync(join(certificates, 'ca.crt'), join(trusted, 'ca.crt'))
  await expectGuarded(registry.host, { username: 'me', password: 'secret' })
  // Credentials that one tool keeps are found by the other.
  const image = `${registry.host}/team/app:1`
  const run = (program: string, args: readonly string[], input = '') =>
    execFileSync(program, args, { env: { ...process.env, ...env() }, input, stdio: 'pipe', encoding: 'utf8' })
  run(tool, ['login', '-u', 'me', '--password-stdin', registry.host], 'secret\n')
  const certs = ['--cert-dir', trusted]
  const inspect = ['inspect', '--raw', ...certs, `docker://${image}`]
  expect(run('skopeo', [...inspect, '--authfile', at('docker/config.json')])).toContain('"layers"')
  run(tool, ['logout', registry.host])
  expect(() => run('skopeo', [...inspect, '--authfile', at('docker/config.json')])).toThrow('unauthorized')
  run(
    'skopeo',
    ['login', '-u', 'me', '--password-stdin', '--authfile', at('auth.json'), ...certs, registry.host],
    'secret',
  )
  expect(run(tool, ['inspect', '--authfile', at('auth.json'), image])).toContain('layers:     1')
})

/** A token server as docker-registry wants one: it signs what `me` with the password `secret` may do. */
async function startTokenServer(issuer: string, service: string) {
  const scopes: string[] = []
  const key = createPrivateKey(readFileSync(join(certificates, 'server.key')))
  const certificate = readFileSync(join(certificates, 'server.crt'), 'utf8').replace(/-----[^-]+-----|\s/g, '')
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

  function answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '', 'http://x')
    const isKnown = request.headers.authorization === `Basic ${Buffer.from('me:secret').toString('base64')}`
    if (!isKnown && request.headers.authorization !== undefined) return void response.writeHead(401).end()
    scopes.push(...url.searchParams.getAll('scope'))
    const access = url.searchParams.getAll('scope').map((scope) => {
      const [type, name, actions = ''] = scope.split(':')
      return { type, name, actions: isKnown ? actions.split(',') : [] }
    })
    const now = Math.floor(Date.now() / 1000)
    const claims = {
      iss: issuer,
      aud: service,
      sub: 'me',
      iat: now,
      nbf: now - 60,
      exp: now + 60,
      jti: String(now),
      access,
    }
    const text = `${encode({ typ: 'JWT', alg: 'ES256', x5c: [certificate] })}.${encode(claims)}`
    const signature = sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')
    response.end(JSON.stringify({ token: `${text}.${signature}` }))
  }

  const server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    realm: `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`,
    scopes,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

test('docker-registry with a token server', { timeout: 600_000 }, async () => {
  const [issuer, service] = ['test-issuer', 'test-service']
  await using tokens = await startTokenServer(issuer, service)
  const rootcertbundle = join(certificates, 'ca.crt')
  await using registry = await startDockerRegistry(at('registry'), {
    auth: { token: { realm: tokens.realm, issuer, service, rootcertbundle } },
  })
  await expectGuarded(registry.host, { username: 'me', password: 'secret' })
  expect(tokens.scopes).toContain('repository:team/app:pull')
  expect(tokens.scopes.some((scope) => /^repository:team\/app:(pull,push|push,pull)$/.test(scope))).toBe(true)
})
