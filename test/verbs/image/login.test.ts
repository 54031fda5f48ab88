import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { call } from '../../cli/call.ts'
import { library } from '../../library.ts'
import { sendError, startRegistry } from '../../registry/fake-registry.ts'

const directory = mkdtempSync(join(tmpdir(), 'login-'))
afterAll(() => rmSync(directory, { recursive: true }))
beforeEach(() => rmSync(join(directory, 'config.json'), { force: true }))

const config = join(directory, 'config.json')
const env = { DOCKER_CONFIG: directory, HOME: directory, PATH: `${directory}:${process.env.PATH}` }

/** A registry that wants the name `me` and the password `secret`. */
const guarded = () =>
  startRegistry((request, response) => {
    if (request.headers.authorization === `Basic ${Buffer.from('me:secret').toString('base64')}`) return undefined
    return sendError(response, 401, 'UNAUTHORIZED', { 'www-authenticate': 'Basic realm="test"' })
  })

test('accepted credentials are kept as docker keeps them, beside what is in the file, and can be removed', async () => {
  await using registry = await guarded()
  writeFileSync(config, JSON.stringify({ auths: { 'x.example': { auth: 'eDp4' } }, detachKeys: 'ctrl-q' }))
  const result = await library.login(registry.host, { username: 'me', password: 'secret', env })
  expect(result).toEqual({ registry: registry.host, keptIn: config })
  const auth = Buffer.from('me:secret').toString('base64')
  const written = { auths: { 'x.example': { auth: 'eDp4' }, [registry.host]: { auth } }, detachKeys: 'ctrl-q' }
  expect(JSON.parse(readFileSync(config, 'utf8'))).toEqual(written)
  expect(statSync(config).mode & 0o777).toBe(0o600)
  expect(await library.logout(registry.host, { env })).toEqual({ registry: registry.host, removedFrom: [config] })
  expect(JSON.parse(readFileSync(config, 'utf8')).auths).toEqual({ 'x.example': { auth: 'eDp4' } })
  expect((await library.logout(registry.host, { env })).removedFrom).toEqual([])
})

test('refused credentials are not kept, and the error does not tell them', async () => {
  await using registry = await guarded()
  const failure = await library.login(registry.host, { username: 'me', password: 'wr0ng', env }).catch((error) => error)
  expect(failure).toMatchObject({ code: 'ERR_REGISTRY_AUTH' })
  expect(`${failure.message} ${failure.hint}`).not.toContain('wr0ng')
  expect(() => statSync(config)).toThrow('ENOENT')
})

test('a credential helper that is set up keeps them instead of the file', async () => {
  await using registry = await guarded()
  writeFileSync(join(directory, 'docker-credential-box'), `#!/bin/sh\n[ $1 = store ] && cat > ${directory}/kept\n`, {
    mode: 0o755,
  })
  writeFileSync(config, JSON.stringify({ credsStore: 'box' }))
  await library.login(registry.host, { username: 'me', password: 'secret', env })
  expect(JSON.parse(readFileSync(join(directory, 'kept'), 'utf8'))).toEqual({
    ServerURL: registry.host,
    Username: 'me',
    Secret: 'secret',
  })
  expect(JSON.parse(readFileSync(config, 'utf8'))).toEqual({ credsStore: 'box' })
})

const noTerminal = 'is missing, and there is no terminal to ask on\n  hint:'
test.each([
  [['-u', 'me'], `password ${noTerminal} give the password to standard input, with --password-stdin`],
  [
    [],
    `user name ${noTerminal} name the user with --username, and give the password to standard input, with --password-stdin`,
  ],
  [['-p', 'x'], `user name ${noTerminal} name the user with --username`],
  [['--password-stdin'], 'user name is missing\n  hint: give it with --username'],
  [['-u', 'me', '-p', 'x', '--password-stdin'], 'password is given twice\n  hint: give it once'],
  [['-u', 'me', '-p', ''], `password ${noTerminal} give the password to standard input, with --password-stdin`],
])('without a terminal, login %j says what to give', async (args, message) => {
  expect(await call(['login', ...args, 'x.example'])).toEqual({
    status: 2,
    stdout: '',
    stderr: `error: the ${message}\n`,
  })
})

test('an empty password is none', async () => {
  const failure = await library.login('x.example', { username: 'me', password: '', env }).catch((error) => error)
  expect(failure).toMatchObject({ code: 'ERR_USAGE', message: 'the password is empty' })
})
