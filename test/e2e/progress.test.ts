import { execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect } from 'vitest'
import { columnsOf } from '../../src/cli/columns-of-text.ts'
import { type FakeRegistry, startRegistry } from '../registry/fake-registry.ts'
import { requires } from '../requirements.ts'
import { makeImage, makeLayer, type TestImage } from '../source/build-image.ts'
import { forms, ImageCommands, serve } from './image-command.ts'

const { test } = requires('script')
const { test: tmuxTest } = requires('tmux')
const tool = forms['dist/bundle-tool']?.[0] ?? ''

let home: ImageCommands
let registry: FakeRegistry
let image: TestImage
beforeEach(async () => {
  home = new ImageCommands()
  image = makeImage([
    await makeLayer({ a: randomBytes(1_500_000) }),
    await makeLayer({ b: randomBytes(700_000) }),
    await makeLayer({ c: 'x' }),
  ])
  registry = await startRegistry(sendSlowly)
  serve(registry, image)
})
afterEach(async () => {
  home[Symbol.dispose]()
  await registry[Symbol.asyncDispose]()
})

const pieces = 12

/** Sends the blobs of layers in pieces, a tenth of a second apart. */
function sendSlowly(request: IncomingMessage, response: ServerResponse): true | undefined {
  const blob = image.layers.find(({ descriptor }) => request.url?.endsWith(descriptor.digest))?.blob
  if (blob === undefined || blob.length < 1000) return undefined
  response.writeHead(200, { 'content-length': blob.length })
  const size = Math.ceil(blob.length / pieces)
  const send = async (): Promise<void> => {
    for (let at = 0; at < blob.length; at += size) {
      response.write(blob.subarray(at, at + size))
      await sleep(100)
    }
    response.end()
  }
  void send()
  return true
}

const pull = (...options: readonly string[]): string =>
  [
    tool,
    'pull --network none',
    '--insecure',
    '--store',
    home.at('store'),
    '--out',
    home.at('bundle'),
    ...options,
    `${registry.host}/app:1`,
  ].join(' ')

/** The output of a shell command to a terminal of its own. */
async function onTerminal(command: string, env: Readonly<Record<string, string>> = {}): Promise<string> {
  const child = spawn('script', ['-qec', command, '/dev/null'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      PATH: process.env.PATH,
      HOME: home.directory,
      CONTAINERS_REGISTRIES_CONF: '/dev/null',
      TERM: 'xterm',
      ...env,
    },
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  const [status] = await once(child, 'close')
  expect(status, output).toBe(0)
  return output
}

/** The text of each line, without the bytes that steer the terminal. */
const linesOf = (output: string): readonly string[] =>
  output.replaceAll(/\u001b\[(?:\d*[A-Z]|\?7[hl])/g, '').split(/[\r\n]+/)

const short = () => image.layers.map(({ descriptor }) => descriptor.digest.slice(7, 19))

test.each([30, 80, 300])(
  'on a terminal of %i columns no line is wider, and a layer has one of them',
  async (columns) => {
    const output = await onTerminal(`stty cols ${columns} rows 24; ${pull()}`)
    const lines = linesOf(output)
    for (const line of lines.filter((one) => !one.includes('@sha256:'))) expect(columnsOf(line)).toBeLessThan(columns)
    const first = short()[0]?.slice(0, 6) ?? ''
    const going = lines.filter((line) => line.startsWith(first) && line.includes('%'))
    expect(going.length).toBeGreaterThan(1)
    expect(
      going.some((line) => /\d%.* 1\.5 ?MB .*B\/s +\d+s/.test(line)),
      going.join('\n'),
    ).toBe(true)
    // The last thing is the name of the image, on a line of its own: the lines are gone.
    expect(output).toMatch(/\r\u001b\[J[^\r\n]*\/app:1@sha256:[0-9a-f]{64}\r\n$/)
    // Nothing else steers the terminal: there are no colours.
    expect(output.replaceAll(/\u001b\[(?:J|\d+A|\?7[hl])/g, '')).not.toContain('\u001b')
  },
)

test('a terminal that gets narrower meanwhile is obeyed', async () => {
  const output = await onTerminal(`stty cols 120 rows 24; { sleep 0.7; stty cols 40 </dev/tty; } & ${pull()}`)
  const drawn = output.split('\u001b[J').map((part) => Math.max(...linesOf(part).map(columnsOf)))
  // The last part is the name of the image.
  const narrow = drawn.slice(0, -1).findLastIndex((width) => width >= 40)
  expect(narrow).toBeGreaterThan(0)
  expect(drawn.length - narrow).toBeGreaterThan(4)
})

test.each([
  ['with TERM=dumb', { TERM: 'dumb' }, []],
  ['with --quiet', {}, ['--quiet']],
  ['with --json', {}, ['--json']],
])('%s nothing steers the terminal', async (_, env, options) => {
  const output = await onTerminal(pull(...options), env)
  expect(output).not.toContain('\u001b')
  expect(output.includes(`${short()[0]}: fetched`)).toBe(options.length === 0)
})

test('NO_COLOR changes nothing: there are no colours', async () => {
  expect(await onTerminal(pull(), { NO_COLOR: '1' })).not.toMatch(/\u001b\[[\d;]*m/)
})

test('without a terminal there is a line for each layer that is there, and for each that is unpacked', async () => {
  const words = pull().split(' ').slice(1)
  const { stderr } = await home.run([tool], words)
  const expected = short().map((name) => `${name}: unpacked, 1 entries`)
  expect(stderr.split('\n').filter((line) => line.includes('unpacked'))).toEqual(expected)
  expect(stderr.match(/: fetched, /g)).toHaveLength(3)
  expect(stderr).not.toMatch(/[\r\u001b]/)
})

tmuxTest('in tmux, which wraps lines anew, nothing of the progress is left, and a line before it is', async () => {
  const tmux = (...args: readonly string[]): string =>
    execFileSync('tmux', ['-L', `progress-${process.pid}`, '-f', '/dev/null', ...args], { encoding: 'utf8' })
  // Below the lines that tmux moves out of sight when it makes more of the others.
  const screen = (): readonly string[] =>
    tmux('capture-pane', '-p')
      .split('\n')
      .filter((line) => !/^\d?$/.test(line))
  const until = async (isSo: () => boolean): Promise<void> => {
    for (let tries = 0; tries < 200 && !isSo(); tries++) await sleep(50)
    expect(isSo(), screen().join('\n')).toBe(true)
  }
  const env = ['-e', `HOME=${home.directory}`, '-e', 'CONTAINERS_REGISTRIES_CONF=/dev/null']
  tmux('new-session', '-d', '-x', '100', '-y', '20', ...env, `seq 9; echo BEFORE; ${pull()}; echo AFTER; sleep 60`)
  try {
    await until(() => screen().some((line) => line.includes('%')))
    for (const columns of ['35', '60', '30', '100']) {
      tmux('resize-window', '-x', columns)
      // tmux wraps them at once, and tells of its size a little later.
      await until(() => screen().length <= 4)
      expect(screen()[0]).toBe('BEFORE')
    }
    await until(() => screen().includes('AFTER'))
    expect(screen()).toEqual(['BEFORE', expect.stringContaining('/app:1@sha256:'), 'AFTER'])
  } finally {
    tmux('kill-server')
  }
})
