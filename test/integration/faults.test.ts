import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest'
import { library } from '../library.ts'
import { type DockerRegistry, startDockerRegistry } from '../registry/docker-registry.ts'
import { sha256 } from '../registry/fake-registry.ts'
import { type Passage, type Spoil, startFaultyProxy } from '../registry/faulty-proxy.ts'
import { requires } from '../requirements.ts'
import { layoutFiles, makeImage, makeLayer, type TestImage, writeFiles } from '../source/build-image.ts'

const { OciError, pull, push } = library

process.env.BUNDLE_TOOL_RUNNER ??= join(import.meta.dirname, '../../dist/bundle-tool-runner')

/** A real registry, and between it and us a proxy that does what networks, caches and attackers do. */
const { test } = requires('docker-registry')

const top = mkdtempSync(join(tmpdir(), 'faults-'))
const large = randomBytes(400_000)
let registry: DockerRegistry
let image: TestImage

beforeAll(async () => {
  registry = await startDockerRegistry(join(top, 'registry'))
  image = makeImage([
    await makeLayer({ 'etc/hostname': 'h' }),
    await makeLayer({ large }),
    await makeLayer({ small: 's' }),
  ])
  writeFiles(join(top, 'layout'), layoutFiles({ v1: image }))
  await push(`${registry.host}/app:1`, { from: `oci:${join(top, 'layout')}:v1`, env: {} })
})
afterAll(async () => {
  await registry[Symbol.asyncDispose]()
  rmSync(top, { recursive: true })
})

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'faults-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))
const at = (name: string) => join(directory, name)

const pullFrom = (host: string) =>
  pull(`${host}/app:1`, { out: at('bundle'), store: at('store'), platform: 'linux/amd64', env: {} })

const isBlob = ({ request }: Passage): boolean => request.url?.includes('/blobs/') === true
const isLargeBlob = (passage: Passage): boolean => isBlob(passage) && passage.body.length > 100_000

/** Sends the first half of an answer that was announced whole, and cuts the connection. */
function cut({ response, status, headers, body }: Passage): true {
  response.writeHead(status, headers)
  response.write(body.subarray(0, body.length >> 1), () => response.destroy())
  return true
}

const flipped = (body: Buffer): Buffer => Buffer.from(body.map((byte, index) => (index === 40 ? byte ^ 1 : byte)))

const answers: readonly (readonly [string, Spoil])[] = [
  ['every blob is cut in half until little is left', (passage) => (isLargeBlob(passage) ? cut(passage) : undefined)],
  ['every answer is cut the first time', (passage) => (passage.time === 1 ? cut(passage) : undefined)],
  [
    'every answer is 429 with Retry-After the first time',
    ({ response, time }) => {
      if (time > 1) return undefined
      response.writeHead(429, { 'retry-after': '0' }).end('{"errors":[{"code":"TOOMANYREQUESTS"}]}')
      return true
    },
  ],
  [
    'every answer is 500 the first time',
    ({ response, time }) => {
      if (time > 1) return undefined
      response.writeHead(500).end('<html>')
      return true
    },
  ],
  [
    'every blob drips slowly, and ranges are not understood',
    (passage) => {
      const { response, headers, body } = passage
      if (!isBlob(passage)) return undefined
      response.writeHead(200, { ...headers, 'content-length': String(body.length) })
      void (async () => {
        const piece = Math.ceil(body.length / 20)
        for (let position = 0; position < body.length; position += piece) {
          response.write(body.subarray(position, position + piece))
          await sleep(10)
        }
        response.end()
      })()
      return true
    },
  ],
  [
    'a blob says it is shorter than it is, the first time',
    (passage) => {
      const { response, headers, body, time } = passage
      if (!isLargeBlob(passage) || time > 1) return undefined
      response.writeHead(200, { ...headers, 'content-length': '100000' }).end(body.subarray(0, 100_000))
      return true
    },
  ],
]

test.each(answers)('%s: the image is whole', async (_, spoil) => {
  await using proxy = await startFaultyProxy(registry.host, spoil)
  const { digest } = await pullFrom(proxy.host)
  expect(digest).toBe(image.manifestDescriptor.digest)
  expect(readFileSync(at('bundle/rootfs/large')).equals(large)).toBe(true)
  expect(readFileSync(at('bundle/rootfs/small'), 'utf8')).toBe('s')
})

const failures: readonly (readonly [string, Spoil, string])[] = [
  [
    'a blob has one bit that is another',
    (passage) => {
      if (!isLargeBlob(passage)) return undefined
      passage.response.writeHead(passage.status, passage.headers).end(flipped(passage.body))
      return true
    },
    'ERR_DIGEST_MISMATCH',
  ],
  [
    'a blob goes on and on',
    (passage) => {
      if (!isLargeBlob(passage)) return undefined
      const { 'content-length': _, ...headers } = passage.headers
      passage.response.writeHead(200, headers)
      passage.response.end(Buffer.concat([passage.body, Buffer.alloc(1_000_000)]))
      return true
    },
    'ERR_DIGEST_MISMATCH',
  ],
  [
    'the manifest has one bit that is another',
    ({ request, response, status, headers, body }) => {
      if (!request.url?.includes('/manifests/')) return undefined
      response.writeHead(status, headers).end(flipped(body))
      return true
    },
    'ERR_DIGEST_MISMATCH',
  ],
  [
    'a blob is another blob',
    (passage) => {
      if (!isLargeBlob(passage)) return undefined
      const body = image.layers[0]?.blob ?? Buffer.alloc(0)
      passage.response.writeHead(200, { ...passage.headers, 'content-length': String(body.length) }).end(body)
      return true
    },
    'ERR_DIGEST_MISMATCH|ERR_NETWORK',
  ],
  [
    'a blob is gone',
    (passage) => {
      if (!isLargeBlob(passage)) return undefined
      passage.response.writeHead(404).end('{"errors":[{"code":"BLOB_UNKNOWN"}]}')
      return true
    },
    'ERR_IMAGE_NOT_FOUND',
  ],
]

test.each(failures)('%s: nothing unverified is visible, and the next pull is whole', async (_, spoil, code) => {
  {
    await using proxy = await startFaultyProxy(registry.host, spoil)
    const error = await pullFrom(proxy.host).catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(OciError)
    expect(error).toMatchObject({ code: expect.stringMatching(code), message: expect.stringContaining('sha256:') })
    // Which registry it was stands in the message wherever that answered wrongly.
    if (code !== 'ERR_DIGEST_MISMATCH') expect(error).toMatchObject({ message: expect.stringContaining(proxy.host) })
  }
  expect(readdirSync(directory).filter((name) => name.includes('bundle'))).toEqual([])
  const blobs = existsSync(at('store/blobs/sha256')) ? readdirSync(at('store/blobs/sha256')) : []
  for (const name of blobs) expect(sha256(readFileSync(at(`store/blobs/sha256/${name}`)))).toBe(`sha256:${name}`)
  await pullFrom(registry.host)
  expect(readFileSync(at('bundle/rootfs/large')).equals(large)).toBe(true)
})

test('blobs on another host are fetched without what the registry alone may know', async () => {
  const seen: (string | undefined)[] = []
  const elsewhere = createServer((request, response) => {
    seen.push(request.headers.authorization)
    const blob = [image.config, ...image.layers.map((layer) => layer.blob)].find((content) =>
      request.url?.includes(sha256(content)),
    )
    response.end(blob)
  })
  await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve))
  const { port } = elsewhere.address() as AddressInfo
  try {
    await using proxy = await startFaultyProxy(registry.host, (passage) => {
      const { request, response } = passage
      if (request.headers.authorization === undefined) {
        response.writeHead(401, { 'www-authenticate': 'Basic realm="test"' }).end()
        return true
      }
      if (!isBlob(passage)) return undefined
      response.writeHead(307, { location: `http://localhost:${port}${request.url}?signature=secret` }).end()
      return true
    })
    const options = { out: at('bundle'), store: at('store'), platform: 'linux/amd64', env: {} }
    await pull(`${proxy.host}/app:1`, { ...options, credentials: 'me:secret' })
    expect(seen).toEqual([undefined, undefined, undefined, undefined])
    expect(readFileSync(at('bundle/rootfs/large')).equals(large)).toBe(true)
  } finally {
    elsewhere.closeAllConnections()
    elsewhere.close()
  }
})
