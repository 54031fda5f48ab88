import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { sha256, startRegistry } from '../registry/fake-registry.ts'
import { makeImage, makeLayer } from '../source/build-image.ts'
import { forms, ImageCommands, serve } from './image-command.ts'

let commands: ImageCommands
beforeEach(() => {
  commands = new ImageCommands()
})
afterEach(() => commands[Symbol.dispose]())

const large = randomBytes(1_000_000)
const image = makeImage([await makeLayer({ large })])
const layer = image.layers[0]?.blob ?? Buffer.alloc(0)
const size = layer.byteLength

/** Puts what a pull that was killed has left of the layer into the store. */
function leave(content: Uint8Array): void {
  mkdirSync(commands.at('store/ingest'), { recursive: true })
  writeFileSync(commands.at(`store/ingest/sha256-${sha256(layer).slice(7)}.partial`), content)
}

const pull = (form: readonly string[], host: string) =>
  commands.run(form, [
    ...['pull', '--quiet', `${host}/app:1`, '--platform', 'linux/amd64'],
    ...['--out', commands.at('bundle'), '--store', commands.at('store')],
  ])

function expectWhole(finished: object): void {
  expect(finished).toMatchObject({ status: 0, stderr: expect.not.stringContaining('error') })
  expect(readFileSync(commands.at('bundle/rootfs/large')).equals(large)).toBe(true)
  expect(readdirSync(commands.at('store/ingest'))).toEqual([])
}

type Answer = (request: IncomingMessage, response: ServerResponse) => void

const send =
  (status: number, range: string | undefined, body: Uint8Array | string): Answer =>
  (_, response) =>
    void response.writeHead(status, range === undefined ? {} : { 'content-range': range }).end(body)

const answers: Readonly<Record<string, Answer>> = {
  'that there is no such range': send(416, `bytes */${size}`, ''),
  'all of the layer as a range': send(206, `bytes 0-${size - 1}/${size}`, layer),
  'another range': send(206, `bytes 100-${size - 1}/${size}`, layer.subarray(100)),
  'a range that it does not name': send(206, undefined, layer),
  'all of the layer': send(200, undefined, layer),
}

describe.each(Object.entries(forms))('%s', (_, form) => {
  test.each(Object.keys(answers))(
    'a pull that goes on with a layer ends, if the registry answers a range with %s',
    async (name) => {
      await using registry = await startRegistry((request, response) => {
        if (request.headers.range === undefined) return undefined
        answers[name]?.(request, response)
        return true
      })
      serve(registry, image)
      leave(layer.subarray(0, 300_000))
      expectWhole(await pull(form, registry.host))
      expect(registry.requests.filter(({ headers }) => headers.range === 'bytes=300000-')).toHaveLength(1)
    },
  )
})

const form = forms['dist/bundle-tool'] ?? []

test.each([
  ['the layer and a byte', Buffer.concat([layer, Buffer.alloc(1)]), 1],
  ['as many bytes as the layer has, and wrong ones', Buffer.alloc(size), 1],
  ['all of the layer', layer, 0],
])('what an earlier pull left is looked at before it is gone on with: %s', async (_, content, fetched) => {
  await using registry = await startRegistry()
  serve(registry, image)
  leave(content)
  expectWhole(await pull(form, registry.host))
  const asked = registry.requests.filter(({ path }) => path.endsWith(sha256(layer)))
  expect(asked.map(({ headers }) => headers.range)).toEqual(Array(fetched).fill(undefined))
})

test('a damaged beginning fails one pull, and the next one fetches all of the layer', async () => {
  await using registry = await startRegistry()
  serve(registry, image)
  leave(Buffer.alloc(300_000))
  expect(await pull(form, registry.host)).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('run the command again; it fetches the whole blob'),
  })
  expectWhole(await pull(form, registry.host))
})
