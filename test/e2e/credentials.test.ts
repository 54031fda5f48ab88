import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type FakeRegistry, type Fault, sendError, startRegistry } from '../registry/fake-registry.ts'
import { makeImage, makeLayer } from '../source/build-image.ts'
import { forms, ImageCommands, serve } from './image-command.ts'

const form = forms['dist/bundle-tool'] ?? []
const accepted = `Basic ${Buffer.from('me:right').toString('base64')}`
const here = new ImageCommands()
const run = (...args: readonly string[]) => here.run(form, args)

/** Registries that want a name and a password, themselves or by a token server. */
let [basic, bearer]: FakeRegistry[] = []
beforeAll(async () => {
  basic = await startRegistry((request, response) =>
    request.headers.authorization === accepted
      ? undefined
      : sendError(response, 401, 'UNAUTHORIZED', { 'www-authenticate': 'Basic realm="r"' }),
  )
  bearer = await startRegistry((request, response) => {
    const { authorization } = request.headers
    if (request.url?.startsWith('/token')) {
      if (authorization !== undefined && authorization !== accepted) response.writeHead(401).end()
      else response.end(JSON.stringify({ token: authorization === undefined ? 'none' : 'granted' }))
      return true
    }
    if (authorization === 'Bearer granted') return undefined
    const challenge = `Bearer realm="http://${request.headers.host}/token",service="s"`
    return sendError(response, 401, 'UNAUTHORIZED', { 'www-authenticate': challenge })
  })
  const image = makeImage([await makeLayer({ file: 'content' })])
  for (const registry of [basic, bearer]) serve(registry, image)
})
afterAll(async () => {
  await Promise.all([basic, bearer].map((registry) => registry?.[Symbol.asyncDispose]()))
  here[Symbol.dispose]()
})

describe.each(['Basic', 'Bearer'])('a registry that wants %s', (scheme) => {
  const hostOf = () => (scheme === 'Basic' ? basic : bearer)?.host ?? ''

  test.each([
    ['pull', (image: string) => ['pull', image, '--out', 'refused']],
    ['inspect', (image: string) => ['inspect', image]],
    ['list-tags', (image: string) => ['list-tags', image.replace(/:1$/, '')]],
    ['copy', (image: string) => ['copy', image, 'oci:refused']],
    ['export', (image: string) => ['export', image, '-o', 'refused']],
  ])('%s says that the credentials were refused, and which', async (_, command) => {
    const { status, stderr } = await run(...command(`${hostOf()}/app:1`), '--creds', 'me:wrong')
    expect(status).toBe(1)
    expect(stderr).toMatch(`error: ${hostOf()} refuses the credentials of --creds (user "me"): `)
    expect(stderr).toMatch(/401.*\n {2}hint: check the user name and the password\n$/)
    expect(stderr).not.toContain('wrong')
  })

  test('the file is named that has them', async () => {
    const auth = Buffer.from('me:wrong').toString('base64')
    writeFileSync(here.at('auth.json'), JSON.stringify({ auths: { [hostOf()]: { auth } } }))
    const { stderr } = await run('inspect', `${hostOf()}/app:1`, '--authfile', 'auth.json')
    expect(stderr).toMatch(`error: ${hostOf()} refuses the credentials of auth.json (user "me"): `)
    expect(stderr).toMatch(/hint: log in again with "bundle-tool login"\n$/)
  })

  test('those of a target are named by its option', async () => {
    const args = ['copy', `${hostOf()}/app:1`, `docker://${hostOf()}/other:1`, '--platform', 'linux/amd64', '--quiet']
    const { stderr } = await run(...args, '--creds', 'me:right', '--dest-creds', 'you:wrong')
    expect(stderr).toMatch(`error: ${hostOf()} refuses the credentials of --dest-creds (user "you"): `)
  })

  test('right ones are accepted', async () => {
    expect((await run('inspect', `${hostOf()}/app:1`, '--creds', 'me:right')).status).toBe(0)
  })
})

test.each([
  ['me', 'password'],
  [':secret', 'user name'],
])('--creds "%s" is refused before anybody is asked', async (creds, missing) => {
  for (const [option, ...command] of [
    ['--creds', 'pull', 'nowhere.invalid/app', '--out', 'x'],
    ['--creds', 'inspect', 'nowhere.invalid/app'],
    ['--dest-creds', 'copy', 'nowhere.invalid/app', 'nowhere.invalid/b'],
  ]) {
    const { status, stderr } = await run(...command, option ?? '', creds)
    expect({ status, stderr }).toEqual({
      status: 2,
      stderr: `error: the credentials have no ${missing}\n  hint: write ${option} USER:PASSWORD, or keep them with "bundle-tool login"\n`,
    })
  }
})

const auth = Buffer.from('me:right').toString('base64')
const environment = { PATH: `${here.directory}:${process.env.PATH}` }

function writeHelper(name: string, script: string): void {
  writeFileSync(here.at(`docker-credential-${name}`), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
}

function inspectWith(config: unknown, host: string, env: Readonly<Record<string, string>> = {}) {
  mkdirSync(here.at('.docker'), { recursive: true })
  writeFileSync(here.at('.docker/config.json'), JSON.stringify(config))
  return here.run(form, ['inspect', `${host}/app:1`], { ...environment, ...env })
}

/** A registry that gives everybody a token, and asks for one. */
const wantsAnyToken: Fault = ({ headers, url }, response) => {
  if (headers.authorization !== undefined) return undefined
  if (url?.startsWith('/token') === true) {
    response.end('{"token":"all"}')
    return true
  }
  return sendError(response, 401, 'UNAUTHORIZED', {
    'www-authenticate': `Bearer realm="http://${headers.host}/token"`,
  })
}

describe('a credential helper of no use leaves the image to everybody', () => {
  let open: FakeRegistry
  beforeAll(async () => {
    open = await startRegistry()
    serve(open, makeImage([await makeLayer({ file: 'content' })]))
  })
  afterAll(() => open[Symbol.asyncDispose]())

  test.each([
    ['missing', undefined, 'the credential helper docker-credential-missing is not installed'],
    ['fails', 'echo no such host; exit 3', 'docker-credential-fails does not give the credentials of HOST'],
    ['empty', `echo '{"Username":"","Secret":""}'`, 'docker-credential-empty answers with an empty user name'],
    ['talks', 'echo hello', 'docker-credential-talks answers with something other than credentials'],
  ])('%s', async (name, script, warning) => {
    const challenged = await startRegistry(wantsAnyToken)
    serve(challenged, makeImage([await makeLayer({ file: 'content' })]))
    if (script !== undefined) writeHelper(name, script)
    for (const config of [{ credsStore: name }, { credHelpers: { [challenged.host]: name } }]) {
      const { status, stderr } = await inspectWith(config, challenged.host)
      expect(stderr).toBe(
        `warning: ${warning.replace('HOST', challenged.host)}; ${here.at('.docker/config.json')} names it for ${challenged.host}, which is asked without it\n`,
      )
      expect(status).toBe(0)
    }
    await challenged[Symbol.asyncDispose]()
  })

  test('one that knows nothing of the registry does so without a word', async () => {
    writeHelper('knows-nothing', "echo 'credentials not found in native keychain'; exit 1")
    expect(await inspectWith({ credsStore: 'knows-nothing' }, open.host)).toMatchObject({ status: 0, stderr: '' })
  })

  test('logout goes on without one that is missing', async () => {
    const config = { credsStore: 'missing', auths: { 'x.example': { auth } } }
    writeFileSync(here.at('config.json'), JSON.stringify(config))
    const { status, stderr } = await run('logout', 'x.example', '--authfile', 'config.json')
    expect({ status, stderr }).toEqual({
      status: 0,
      stderr:
        'warning: the credential helper docker-credential-missing is not installed; it forgets nothing\n' +
        'x.example: removed from config.json\n',
    })
  })
})

test('the names in the answer of a helper count in any case', async () => {
  writeHelper('lower', `echo '{"serverurl":"x","username":"me","secret":"right"}'`)
  expect(await inspectWith({ credsStore: 'lower' }, basic?.host ?? '')).toMatchObject({ status: 0, stderr: '' })
})

test.each([
  ['http://HOST'],
  ['https://HOST'],
  ['https://HOST/v1/'],
  ['https://HOST/v2'],
  ['http://HOST/any/path'],
  ['HOST/v2/'],
  ['HOST/'],
  ['HOST/app'],
])('the credentials of "%s" are found', async (key) => {
  const host = basic?.host ?? ''
  const found = await inspectWith({ auths: { 'other.example': {}, [key.replace('HOST', host)]: { auth } } }, host)
  expect(found).toMatchObject({ status: 0, stderr: '' })
})

test('those of another part of a registry are not', async () => {
  const host = basic?.host ?? ''
  expect(await inspectWith({ auths: { [`${host}/other`]: { auth } } }, host)).toMatchObject({ status: 1 })
})

test('an entry that cannot be read is passed over', async () => {
  const host = bearer?.host ?? ''
  const { stderr } = await inspectWith({ auths: { [host]: { auth: 'bm9jb2xvbg==' } } }, host)
  expect(stderr).toMatch(
    `warning: the "auth" of ${host} in ${here.at('.docker/config.json')} is not base64 of name:password`,
  )
})

test('a registry token is sent as it is', async () => {
  const host = bearer?.host ?? ''
  const found = await inspectWith({ auths: { [host]: { registrytoken: 'granted' } } }, host)
  expect(found).toMatchObject({ status: 0, stderr: '' })
})

test('credential-helpers of registries.conf are asked in their order', async () => {
  writeHelper('first', `read server; [ "$server" = ${basic?.host} ] && echo '{"Username":"me","Secret":"right"}'`)
  writeFileSync(here.at('registries.conf'), 'credential-helpers = ["first", "containers-auth.json"]\n')
  const env = { CONTAINERS_REGISTRIES_CONF: here.at('registries.conf') }
  const wrong = { auth: Buffer.from('me:wrong').toString('base64') }
  expect(await inspectWith({ auths: { [basic?.host ?? '']: wrong } }, basic?.host ?? '', env)).toMatchObject({
    status: 0,
    stderr: '',
  })
  writeFileSync(here.at('registries.conf'), 'credential-helpers = ["containers-auth.json", "first"]\n')
  const { stderr } = await inspectWith({ auths: { [basic?.host ?? '']: wrong } }, basic?.host ?? '', env)
  expect(stderr).toMatch(`refuses the credentials of ${join(here.at('.docker'), 'config.json')}`)
  writeFileSync(here.at('registries.conf'), 'credential-helpers = "first"\n')
  expect((await inspectWith({}, basic?.host ?? '', env)).stderr).toMatch(
    '"credential-helpers" is not a list of strings',
  )
  rmSync(here.at('registries.conf'))
})
