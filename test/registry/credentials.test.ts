import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { parseChallenges } from '../../src/registry/challenge.ts'
import { configuredCredentials } from '../../src/registry/credentials.ts'

const directory = mkdtempSync(join(tmpdir(), 'credentials-'))
afterAll(() => rmSync(directory, { recursive: true }))

function lookUp(config: unknown, registry: string) {
  writeFileSync(join(directory, 'config.json'), typeof config === 'string' ? config : JSON.stringify(config))
  return configuredCredentials(env)(registry)
}

/** An environment in which no file of the machine is read, and helpers are found in `directory`. */
const env = {
  DOCKER_CONFIG: directory,
  HOME: directory,
  XDG_RUNTIME_DIR: join(directory, 'run'),
  PATH: `${directory}:${process.env.PATH}`,
}

/** A credential helper that keeps its secrets in a file named after the server. */
function addHelper(name: string): void {
  const script = `#!/bin/sh
kept=${directory}/kept-${name}
case $1 in
store) cat > $kept ;;
erase) rm -f $kept ;;
get) read server
  if [ -e $kept ] && grep -q "$server" $kept; then cat $kept
  else echo 'credentials not found in native keychain'; exit 1; fi ;;
esac
`
  writeFileSync(join(directory, `docker-credential-${name}`), script, { mode: 0o755 })
}

const auth = (text: string) => ({ auth: Buffer.from(text).toString('base64') })
const password = (username: string, secret: string) => ({ kind: 'password', username, password: secret })

test('credentials are found by registry, Docker Hub by its old key too', async () => {
  const auths = { 'https://index.docker.io/v1/': auth('me:a:b'), 'localhost:5000': { username: 'u', password: 'p' } }
  expect(await lookUp({ auths }, 'docker.io')).toMatchObject(password('me', 'a:b'))
  expect(await lookUp({ auths }, 'localhost:5000')).toMatchObject(password('u', 'p'))
  expect(await lookUp({ auths }, 'localhost:5001')).toBeUndefined()
  const token = { kind: 'identity-token', token: 't' }
  expect(await lookUp({ auths: { 'x.example': { identitytoken: 't' } } }, 'x.example')).toMatchObject(token)
})

test('no file means no credentials', async () => {
  const none = { ...env, DOCKER_CONFIG: join(directory, 'none') }
  expect(await configuredCredentials(none)('docker.io')).toBeUndefined()
})

test('helpers are used: that of the registry first, the general one last', async () => {
  addHelper('one')
  addHelper('all')
  writeFileSync(join(directory, 'kept-one'), '{"ServerURL":"https://index.docker.io/v1/","Username":"me","Secret":"s"}')
  writeFileSync(join(directory, 'kept-all'), '{"ServerURL":"x.example","Username":"<token>","Secret":"t"}')
  const config = {
    auths: { 'x.example': {}, 'y.example': auth('u:p'), 'docker.io': auth('never:asked') },
    credHelpers: { 'docker.io': 'one' },
    credsStore: 'all',
  }
  expect(await lookUp(config, 'docker.io')).toMatchObject(password('me', 's'))
  expect(await lookUp(config, 'x.example')).toMatchObject({ kind: 'identity-token', token: 't' })
  expect(await lookUp(config, 'y.example')).toMatchObject(password('u', 'p'))
  expect(await lookUp(config, 'z.example')).toBeUndefined()
})

test('a helper that is missing, and one whose name is a path, are passed over with a warning', async () => {
  for (const [config, warning] of [
    [{ credHelpers: { 'x.example': 'none' } }, /^the credential helper docker-credential-none is not installed; /],
    [{ credsStore: '../evil' }, /^"..\/evil" is not the name of a credential helper; /],
  ] as const) {
    const warnings: string[] = []
    writeFileSync(join(directory, 'config.json'), JSON.stringify(config))
    const find = configuredCredentials(env, { warn: (message) => warnings.push(message) })
    expect([await find('x.example'), await find('x.example')]).toEqual([undefined, undefined])
    expect(warnings).toEqual([expect.stringMatching(warning)])
  }
})

test('a missing helper delays nothing', () => {
  const module = join(import.meta.dirname, '../../dist/registry/credential-helper.js')
  const script = `import(${JSON.stringify(module)})
    .then(({ askHelper }) => askHelper('none', 'x.example', { PATH: '/nonexistent' }))
    .catch(({ code }) => console.log(code))`
  expect(execFileSync(process.execPath, ['-e', script], { encoding: 'utf8', timeout: 30_000 })).toBe(
    'ERR_REGISTRY_AUTH\n',
  )
})

test("in containers' auth.json the longest path counts, and the file comes before docker's", async () => {
  writeFileSync(join(directory, 'config.json'), JSON.stringify({ auths: { 'x.example': auth('docker:d') } }))
  mkdirSync(join(directory, 'run/containers'), { recursive: true })
  const auths = { 'x.example/team': auth('team:t'), 'x.example/team/app': auth('app:a'), 'y.example': auth('y:y') }
  writeFileSync(join(directory, 'run/containers/auth.json'), JSON.stringify({ auths }))
  const find = configuredCredentials(env)
  expect(await find('x.example', 'team/app')).toMatchObject(password('app', 'a'))
  expect(await find('x.example', 'team/application')).toMatchObject(password('team', 't'))
  expect(await find('x.example', 'other')).toMatchObject(password('docker', 'd'))
  expect(await find('y.example', 'any/thing')).toMatchObject(password('y', 'y'))
  const inEnvironment = { ...env, DOCKER_AUTH_CONFIG: JSON.stringify({ auths: { 'y.example': auth('env:e') } }) }
  expect(await configuredCredentials(inEnvironment)('y.example')).toMatchObject(password('env', 'e'))
  rmSync(join(directory, 'run'), { recursive: true })
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
])('the header %j is parsed into its challenges', (header, challenges) => {
  expect(parseChallenges(header)).toEqual(challenges)
})
