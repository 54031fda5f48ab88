import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import type { Descriptor } from '../../src/oci/descriptor.ts'
import type { ConnectionOptions } from '../../src/registry/connection-options.ts'
import { openPublishers } from '../../src/registry/foreign-layers.ts'
import { openRepository } from '../../src/registry/repository.ts'
import { type FakeRegistry, type Fault, sendError, sha256, startRegistry } from './fake-registry.ts'

const foreign = 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip'
const asked = { foreignLayers: { isInsecure: false } }

const layerOf = (content: Uint8Array | string, urls?: readonly string[]): Descriptor => ({
  mediaType: foreign,
  digest: sha256(content),
  size: Buffer.byteLength(content),
  ...(urls !== undefined && { urls }),
})

/** A publisher that has one layer at `/layer`, with a fault. */
const startPublisher = (content: Uint8Array | string, fault: Fault = () => undefined): Promise<FakeRegistry> =>
  startRegistry((request, response) => {
    if (fault(request, response)) return true
    if (request.url !== '/layer?signature=s') return undefined
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
    const body = Buffer.from(content)
    if (start > 0) response.writeHead(206, { 'content-range': `bytes ${start}-${body.length - 1}/${body.length}` })
    response.end(body.subarray(start))
    return true
  })

async function fetchBlob(registry: FakeRegistry, layer: Descriptor, options: ConnectionOptions): Promise<Buffer> {
  const repository = openRepository([{ registry: registry.host, repository: 'r', isInsecure: false }], {
    wait: async () => {},
    credentials: async () => ({ kind: 'password', username: 'me', password: 'secret' }),
    ...options,
  })
  try {
    const chunks = []
    for await (const chunk of repository.fetchBlob(layer)) chunks.push(chunk)
    return Buffer.concat(chunks)
  } finally {
    await repository.close()
  }
}

/** A registry that requires a user name and a password. */
const wantsPassword: Fault = ({ headers }, response) =>
  headers.authorization === undefined
    ? sendError(response, 401, 'UNAUTHORIZED', { 'www-authenticate': 'Basic realm="r"' })
    : undefined

test('without permission a foreign layer comes from the registry or not at all, and the error names the flag', async () => {
  await using publisher = await startPublisher('there')
  await using registry = await startRegistry()
  const urls = [`http://${publisher.host}/layer?signature=s`]
  const held = { ...registry.addBlob('here', foreign), urls }
  expect((await fetchBlob(registry, held, {})).toString()).toBe('here')
  const missing = layerOf('there', urls)
  await expect(fetchBlob(registry, missing, {})).rejects.toMatchObject({
    code: 'ERR_NOT_SUPPORTED',
    message: `layer ${missing.digest} is available from ${publisher.host} only, not from a registry`,
    hint: 'fetch it from there with --foreign-layers, without credentials',
  })
  expect(publisher.requests).toEqual([])
})

test('with permission it comes from the registry if that has it, else from the first URL that does', async () => {
  await using publisher = await startPublisher('there')
  await using registry = await startRegistry()
  const urls = [`http://${publisher.host}/gone`, `http://${publisher.host}/layer?signature=s`]
  const held = { ...registry.addBlob('here', foreign), urls }
  expect((await fetchBlob(registry, held, asked)).toString()).toBe('here')
  expect(publisher.requests).toEqual([])
  expect((await fetchBlob(registry, layerOf('there', urls), asked)).toString()).toBe('there')
  expect(publisher.requests.map(({ path }) => path)).toEqual(['/gone', '/layer?signature=s'])
})

test('credentials go to the registry alone, not to a publisher who asks for them or has some in the URL (CVE-2020-15157)', async () => {
  await using publisher = await startPublisher('there')
  await using greedy = await startRegistry(wantsPassword)
  await using registry = await startRegistry(wantsPassword)
  const urls = [`http://${greedy.host}/layer`, `http://user:word@${publisher.host}/layer?signature=s`]
  expect((await fetchBlob(registry, layerOf('there', urls), asked)).toString()).toBe('there')
  expect(registry.requests.some(({ headers }) => headers.authorization?.startsWith('Basic '))).toBe(true)
  expect(greedy.requests).toHaveLength(1)
  expect(publisher.requests).toHaveLength(1)
  for (const { headers } of [...greedy.requests, ...publisher.requests]) {
    expect(Object.keys(headers).sort()).toEqual(['accept-encoding', 'connection', 'host', 'user-agent'])
  }
})

test('a broken download continues where it broke, and a transient refusal is tried again', async () => {
  const content = randomBytes(300_000)
  let count = 0
  const unsteady = (_: IncomingMessage, response: ServerResponse): true | undefined => {
    count += 1
    if (count === 1) return sendError(response, 503, 'BUSY')
    if (count > 2) return undefined
    response.writeHead(200, { 'content-length': content.length })
    response.write(content.subarray(0, 100_000), () => response.destroy())
    return true
  }
  await using publisher = await startPublisher(content, unsteady)
  await using registry = await startRegistry()
  const layer = layerOf(content, [`http://${publisher.host}/layer?signature=s`])
  expect((await fetchBlob(registry, layer, asked)).equals(content)).toBe(true)
  expect(publisher.requests.map(({ headers }) => headers.range)).toEqual([
    undefined,
    undefined,
    expect.stringMatching(/^bytes=[1-9]\d*-$/),
  ])
})

test('when every URL fails each is named, without any secrets in it', async () => {
  await using publisher = await startRegistry((_, response) => sendError(response, 403, 'DENIED'))
  await using registry = await startRegistry()
  const layer = layerOf('x', [`http://${publisher.host}/a?key=k`, 'no address', `http://u:p@${publisher.host}/b`])
  await expect(fetchBlob(registry, layer, asked)).rejects.toMatchObject({
    code: 'ERR_REGISTRY_AUTH',
    message: `layer ${layer.digest} is not at the registry, nor at its other places
  GET http://${publisher.host}/a?...: 403 DENIED: DENIED it is
  the manifest names something that is not a URL as the place of a layer
  GET http://${publisher.host}/b: 403 DENIED: DENIED it is`,
    hint: undefined,
  })
  await expect(fetchBlob(registry, layerOf('x'), asked)).rejects.toMatchObject({
    code: 'ERR_IMAGE_NOT_FOUND',
    message: expect.stringContaining('the manifest names no other place'),
  })
})

test('a URL without TLS, or in a private network that the registry is not in, is refused', async () => {
  await using publisher = await startPublisher('there')
  const failure = async (registry: string, url: string, isInsecure = false): Promise<unknown> => {
    const publishers = openPublishers([{ registry, repository: 'r', isInsecure: false }], {
      wait: async () => {},
      foreignLayers: { isInsecure },
    })
    try {
      const { response } = await publishers.get(layerOf('there', [url]), 0)
      return response.status
    } catch (error) {
      return error instanceof Error ? error.message.split('\n')[1]?.trim() : error
    } finally {
      await publishers.close()
    }
  }
  const local = `http://${publisher.host}/layer?signature=s`
  const isPrivate = 'is an address of the private network, which the registry is not in; refused'
  expect(await failure('registry.example', local)).toBe(`http://${publisher.host}/layer?... ${isPrivate}`)
  expect(await failure('registry.example', 'https://169.254.169.254/latest', true)).toContain(isPrivate)
  expect(await failure('registry.example', 'http://publisher.invalid/x')).toContain('is not https; refused')
  expect(await failure('registry.example', 'http://publisher.invalid/x', true)).toContain('ENOTFOUND')
  expect(await failure('registry.example', 'file:///etc/passwd', true)).toContain('is not http; refused')
  expect(publisher.requests).toEqual([])
  expect(await failure('127.0.0.1:5000', local)).toBe(200)
})
