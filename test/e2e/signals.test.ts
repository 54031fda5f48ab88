import { spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type FakeRegistry, startRegistry } from '../registry/fake-registry.ts'
import { layoutFiles, makeImage, makeLayer, writeFiles } from '../source/build-image.ts'
import { forms, ImageCommands, serve } from './image-command.ts'

const here = new ImageCommands()
let registry: FakeRegistry
let stalled = 0
beforeAll(async () => {
  const image = makeImage([await makeLayer({ large: randomBytes(100_000) })])
  const stalling = image.layers[0]?.descriptor.digest ?? ''
  registry = await startRegistry((request, response) => {
    const isStalling = request.url?.endsWith(stalling) || /stalling|failing/.test(request.url ?? '')
    if (!isStalling || request.method !== 'GET') return undefined
    stalled += 1
    if (request.url?.includes('failing')) response.writeHead(503).end()
    else response.writeHead(200, { 'content-length': image.layers[0]?.blob.length }).write('x')
    return true
  })
  serve(registry, image)
  writeFiles(here.at('layout'), layoutFiles({ one: image }))
})
afterAll(async () => {
  await registry[Symbol.asyncDispose]()
  here[Symbol.dispose]()
})

/** Commands that wait for a registry, and what each would leave behind. */
const commands: Readonly<Record<string, (host: string) => readonly string[]>> = {
  pull: (host) => [
    'pull',
    `${host}/app:1`,
    '--platform',
    'linux/amd64',
    '--out',
    'made/pulled',
    '--quiet',
    '--store',
    'store',
  ],
  inspect: (host) => ['inspect', `${host}/stalling:1`],
  'list-tags': (host) => ['list-tags', `${host}/stalling`],
  'inspect, between two attempts': (host) => ['inspect', `${host}/failing:1`],
  'copy to a layout': (host) => ['copy', `${host}/app:1`, 'oci:new', '--platform', 'linux/amd64', '--quiet'],
  'copy to an archive': (host) => [
    'copy',
    `${host}/app:1`,
    'oci-archive:made/copied',
    '--platform',
    'linux/amd64',
    '--quiet',
  ],
  export: (host) => ['export', `${host}/app:1`, '--platform', 'linux/amd64', '-o', 'made/exported', '--store', 'store'],
}

describe.each(Object.entries(forms))('%s', (_, form) => {
  describe.each(Object.entries(commands))('%s', (_, args) => {
    test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('dies of %s, in one line, and leaves nothing', async (name) => {
      spawnSync('mkdir', ['-p', here.at('made'), here.at('temporary')])
      const before = stalled
      const [program = '', ...words] = [...form, ...args(registry.host)]
      const child = spawn(program, words, {
        cwd: here.directory,
        stdio: ['ignore', 'pipe', 'pipe'],
        env: {
          PATH: process.env.PATH,
          HOME: here.directory,
          TMPDIR: here.at('temporary'),
          CONTAINERS_REGISTRIES_CONF: '/dev/null',
        },
      })
      let [stdout, stderr] = ['', '']
      child.stdout.on('data', (text) => (stdout += text))
      child.stderr.on('data', (text) => (stderr += text))
      const ended = once(child, 'close')
      await vi.waitFor(() => expect(stalled).toBeGreaterThan(before), { timeout: 20_000, interval: 20 })
      child.kill(name)
      expect([...(await ended), stdout], stderr).toEqual([null, name, ''])
      expect(stderr).toMatch(new RegExp(`^error: (?:[^\\n]*: )?stopped by ${name}\\n(?: {2}hint: [^\\n]*\\n)?$`))
      for (const directory of ['made', 'temporary']) expect(readdirSync(here.at(directory))).toEqual([])
    })
  })
})

test('a shell sees 128 + the signal, and stops a script with the command', async () => {
  const tool = forms['dist/bundle-tool']?.[0] ?? ''
  const script = `"$TOOL" inspect ${registry.host}/stalling:1 & sleep 0.1; kill -TERM $!; wait $!; echo $?`
  const { stdout } = spawnSync('/bin/sh', ['-c', script], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH, HOME: here.directory, TOOL: tool },
  })
  expect(stdout).toBe('143\n')
})
