import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect } from 'vitest'
import { type FakeRegistry, sendError, startRegistry } from '../registry/fake-registry.ts'
import { requires } from '../requirements.ts'
import { forms, ImageCommands } from './image-command.ts'

/** `login` on a terminal, as it is shipped. */
const { test } = requires('script')

let home: ImageCommands
let registry: FakeRegistry
beforeEach(async () => {
  home = new ImageCommands()
  registry = await startRegistry((request, response) => {
    if (request.headers.authorization === `Basic ${Buffer.from('me:geheim ü').toString('base64')}`) return undefined
    return sendError(response, 401, 'UNAUTHORIZED', { 'www-authenticate': 'Basic realm="test"' })
  })
})
afterEach(async () => {
  home[Symbol.dispose]()
  await registry[Symbol.asyncDispose]()
})

interface Typed {
  readonly output: string
  readonly status: number | null
}

/**
 * Runs a shell command on a terminal, and types each text after the one that the terminal then shows.
 *
 * @returns what was shown, without what steers the terminal
 */
async function type(command: string, keys: readonly (readonly [shown: string, typed: string])[]): Promise<Typed> {
  const child = spawn('script', ['-qec', command, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { PATH: process.env.PATH, HOME: home.directory, TERM: 'xterm', SHELL: '/bin/sh' },
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output = (output + text).replaceAll(/\u001b\[\d*[A-Z]/g, '')
  })
  for (const [shown, typed] of keys) {
    for (let tries = 0; tries < 400 && !output.includes(shown); tries++) await sleep(25)
    expect(output).toContain(shown)
    child.stdin.write(typed)
  }
  const [status] = child.exitCode === null ? await once(child, 'close') : [child.exitCode]
  return { output, status }
}

const config = (): string => home.at('.docker/config.json')
const auth = Buffer.from('me:geheim ü').toString('base64')

describe.each(Object.entries(forms))('%s', (_, form) => {
  const login = (...options: readonly string[]): string =>
    [...form, 'login', '--insecure', ...options, registry.host].join(' ')
  /** Tells how the command has ended, and whether the terminal echoes and edits lines as before. */
  const withState = (command: string): string =>
    `stty -a | grep -o '[-]\\?\\b\\(echo\\|icanon\\|isig\\)\\b' >before; ${command}; ` +
    `echo "end $?"; stty -a | grep -o '[-]\\?\\b\\(echo\\|icanon\\|isig\\)\\b' >after; cmp before after && echo same`
  const here = (command: string): string => `cd ${home.directory}; ${withState(command)}`

  test('asks for the user name and the password, which is not shown', async () => {
    const { output } = await type(here(login()), [
      ['Username: ', 'mee\u007f\r'],
      ['Password: ', 'geheim ü\r'],
    ])
    expect(output).toContain('logged in; the credentials are kept in ')
    expect(output).toContain('end 0\r\nsame')
    expect(output).not.toContain('geheim')
    expect(JSON.parse(readFileSync(config(), 'utf8')).auths).toEqual({ [registry.host]: { auth } })
    const { stderr } = await home.run(form, ['logout', registry.host])
    expect(stderr).toBe(`${registry.host}: removed from ${config()}\n`)
    expect(JSON.parse(readFileSync(config(), 'utf8')).auths ?? {}).toEqual({})
  })

  test('asks for the password alone where the name is given, and again where nothing is answered', async () => {
    const { output } = await type(here(login('--username', 'me')), [
      ['Password: ', '\r'],
      ['Password: \r\nPassword: ', 'geheim ü\r'],
    ])
    expect(output).not.toContain('Username')
    expect(output).toContain('end 0\r\nsame')
    expect(existsSync(config())).toBe(true)
  })

  test('takes what is typed ahead, and does not show the password either', async () => {
    const { output } = await type(here(login()), [['Username: ', 'me\rgeheim ü\r']])
    expect(output).toContain('end 0\r\nsame')
    expect(output).not.toContain('geheim')
  })

  test.each([
    ['Ctrl-C', '\u0003', 130, 'stopped by SIGINT'],
    ['Ctrl-D', '\u0004', 2, 'the input has ended'],
  ])('%s at the password ends it, and the terminal is as it was', async (_key, key, status, message) => {
    const { output } = await type(here(login('-u', 'me')), [
      ['Password: ', `gehe${key === '\u0004' ? '\u0015' : ''}${key}`],
    ])
    expect(output).toContain(`error: ${message}`)
    expect(output).toContain(`end ${status}\r\nsame`)
    expect(output).not.toContain('gehe')
    expect(existsSync(config())).toBe(false)
  })

  test('SIGTERM at the password ends it, and the terminal is as it was', async () => {
    const killing = `{ sleep 1.5; kill -TERM $(cat pid); } & sh -c 'echo $$ >pid; exec ${login('-u', 'me')}'`
    const { output } = await type(here(killing), [['Password: ', 'gehe']])
    expect(output).toContain('error: stopped by SIGTERM')
    expect(output).toContain('end 143\r\nsame')
    expect(output).not.toContain('gehe')
  })

  test('a wrong password is told, and not kept', async () => {
    const { output } = await type(here(login('-u', 'me')), [['Password: ', 'wrong\r']])
    expect(output).toContain('end 1\r\nsame')
    expect(output).not.toContain('wrong')
    expect(existsSync(config())).toBe(false)
  })

  test('standard input that is no terminal is not asked', async () => {
    const { output } = await type(here(`${login('-u', 'me')} </dev/null`), [])
    expect(output).toContain('the password is missing, and there is no terminal to ask on')
    expect(output).toContain('end 2\r\nsame')
  })
})
