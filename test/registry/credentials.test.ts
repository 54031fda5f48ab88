import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { parseChallenges } from '../../src/registry/challenge.ts'
import { dockerCredentials } from '../../src/registry/credentials.ts'

const directory = mkdtempSync(join(tmpdir(), 'credentials-'))
afterAll(() => rmSync(directory, { recursive: true }))

function lookUp(config: unknown, registry: string) {
  writeFileSync(join(directory, 'config.json'), typeof config === 'string' ? config : JSON.stringify(config))
  return dockerCredentials({ DOCKER_CONFIG: directory })(registry)
}

const auth = (text: string) => ({ auth: Buffer.from(text).toString('base64') })
const password = (username: string, secret: string) => ({ kind: 'password', username, password: secret })

test('credentials are found by registry, Docker Hub by its old key too', async () => {
  const auths = { 'https://index.docker.io/v1/': auth('me:a:b'), 'localhost:5000': { username: 'u', password: 'p' } }
  expect(await lookUp({ auths }, 'docker.io')).toEqual(password('me', 'a:b'))
  expect(await lookUp({ auths }, 'localhost:5000')).toEqual(password('u', 'p'))
  expect(await lookUp({ auths }, 'localhost:5001')).toBeUndefined()
  const token = { kind: 'identity-token', token: 't' }
  expect(await lookUp({ auths: { 'x.example': { identitytoken: 't' } } }, 'x.example')).toEqual(token)
})

test('no file means no credentials', async () => {
  expect(await dockerCredentials({ DOCKER_CONFIG: join(directory, 'none') })('docker.io')).toBeUndefined()
})

test('what a helper keeps is refused, not skipped; other registries are not concerned', async () => {
  const config = { credsStore: 'pass', auths: { 'x.example': {} }, credHelpers: { 'y.example': 'ecr' } }
  await expect(lookUp(config, 'x.example')).rejects.toMatchObject({ code: 'ERR_NOT_SUPPORTED' })
  await expect(lookUp(config, 'y.example')).rejects.toThrow(/"ecr"/)
  expect(await lookUp(config, 'z.example')).toBeUndefined()
})

test('a file that is not JSON is refused without its content', async () => {
  const error = await lookUp('{"auths": hunter2', 'x').catch((caught: unknown) => caught)
  expect(error).toMatchObject({ code: 'ERR_REGISTRY_AUTH' })
  expect(String(error)).not.toContain('hunter2')
})

test.each([
  [
    'Bearer realm="https://a/t",service="s, t",scope="x"',
    [{ scheme: 'bearer', parameters: { realm: 'https://a/t', service: 's, t', scope: 'x' } }],
  ],
  ['Basic realm="a \\"b\\""', [{ scheme: 'basic', parameters: { realm: 'a "b"' } }]],
  [
    'Negotiate, BASIC realm=x',
    [
      { scheme: 'negotiate', parameters: {} },
      { scheme: 'basic', parameters: { realm: 'x' } },
    ],
  ],
  ['', []],
])('the header %j offers what it says', (header, challenges) => {
  expect(parseChallenges(header)).toEqual(challenges)
})
