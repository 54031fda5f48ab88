import { writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type FakeRegistry, sendError, startRegistry } from '../registry/fake-registry.ts'
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
