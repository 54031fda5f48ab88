import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import { sendError, sha256, startRegistry } from './fake-registry.ts'
import { collect, cutAfter, first, manifest, withRepository } from './repository-calls.ts'

test('a manifest is fetched by tag and by digest, over plain http on this host', async () => {
  await using registry = await startRegistry()
  const described = registry.addManifest('r', 't', manifest)
  await withRepository([registry], async (repository) => {
    for (const version of ['t', described.digest]) {
      const { descriptor, content } = await repository.fetchManifest(version)
      expect(descriptor).toEqual(described)
      expect(JSON.parse(Buffer.from(content).toString())).toEqual(manifest)
    }
  })
})

test('a manifest with other bytes than its digest is refused', async () => {
  const asked = sha256('what was asked for')
  await using registry = await startRegistry(first(9, /manifests/, (_, response) => response.end('something else')))
  await withRepository([registry], async (repository) => {
    await expect(repository.fetchManifest(asked)).rejects.toMatchObject({ code: 'ERR_DIGEST_MISMATCH' })
  })
})

test('a manifest above the limit is not read to its end', async () => {
  await using registry = await startRegistry(
    first(9, /manifests/, (_, response) => response.end(Buffer.alloc(5 << 20))),
  )
  await withRepository([registry], async (repository) => {
    await expect(repository.fetchManifest('t')).rejects.toMatchObject({ code: 'ERR_LIMIT_EXCEEDED' })
  })
})

test('an unknown image names the registry, the code as received and what to check', async () => {
  await using registry = await startRegistry()
  await withRepository([registry], async (repository) => {
    await expect(repository.fetchManifest('t')).rejects.toMatchObject({
      code: 'ERR_IMAGE_NOT_FOUND',
      message: expect.stringMatching(new RegExp(`http://${registry.host}/v2/r/manifests/t: 404 MANIFEST_UNKNOWN`)),
      hint: expect.stringContaining(registry.host),
    })
    expect(registry.requests.filter(({ path }) => path.includes('manifests'))).toHaveLength(1)
  })
})

test.each([408, 429, 500, 502, 503, 504])('status %i is tried again until it works', async (status) => {
  const waits: number[] = []
  const fault = first(2, /manifests/, (_, response) => sendError(response, status, 'BUSY', { 'retry-after': '7' }))
  await using registry = await startRegistry(fault)
  registry.addManifest('r', 't', manifest)
  const wait = async (ms: number) => void waits.push(ms)
  await withRepository([registry], (repository) => repository.fetchManifest('t'), { wait })
  expect(waits).toEqual([7000, 7000])
})

test('a request that keeps failing is given up after five attempts, with growing waits', async () => {
  const waits: number[] = []
  await using registry = await startRegistry(first(99, /manifests/, (_, response) => sendError(response, 503, 'BUSY')))
  const wait = async (ms: number) => void waits.push(ms)
  await withRepository(
    [registry],
    async (repository) => {
      await expect(repository.fetchManifest('t')).rejects.toMatchObject({ code: 'ERR_REGISTRY' })
    },
    { wait },
  )
  expect(waits).toHaveLength(4)
  expect(waits[3]).toBeGreaterThan((waits[0] ?? 0) * 4)
})

test('a status that will not change is not tried again', async () => {
  await using registry = await startRegistry(first(99, /manifests/, (_, response) => sendError(response, 400, 'NO')))
  await withRepository([registry], async (repository) => {
    await expect(repository.fetchManifest('t')).rejects.toMatchObject({ code: 'ERR_REGISTRY' })
  })
  expect(registry.requests.filter(({ path }) => path.includes('manifests'))).toHaveLength(1)
})

test('a broken blob is resumed by Range where it broke', async () => {
  const content = randomBytes(3_000_000)
  await using registry = await startRegistry(first(1, /blobs/, cutAfter(content, 1_000_000)))
  const blob = registry.addBlob(content)
  const got = await withRepository([registry], (repository) => collect(repository.fetchBlob(blob)))
  expect(sha256(got)).toBe(blob.digest)
  const ranges = registry.requests.filter(({ path }) => path.includes('blobs')).map(({ headers }) => headers.range)
  expect(ranges).toHaveLength(2)
  expect(ranges[0]).toBeUndefined()
  expect(ranges[1]).toMatch(/^bytes=[1-9]\d*-$/)
})

test('a server without Range still gives the right bytes after a break', async () => {
  const content = randomBytes(500_000)
  const cut = first(1, /blobs/, cutAfter(content, 100_000))
  await using registry = await startRegistry((request, response) => {
    delete request.headers.range
    return cut(request, response)
  })
  const blob = registry.addBlob(content)
  const got = await withRepository([registry], (repository) => collect(repository.fetchBlob(blob)))
  expect(sha256(got)).toBe(blob.digest)
})

const otherRanges: Readonly<Record<string, readonly [number, string | undefined, (content: Buffer) => Buffer]>> = {
  'that there is no such range': [416, 'bytes */20', () => Buffer.from('{}')],
  'all of the blob as a range': [206, 'bytes 0-19/20', (content) => content],
  'another beginning': [206, 'bytes 5-19/20', (content) => content.subarray(5)],
  'another end': [206, 'bytes 10-14/20', (content) => content.subarray(10, 15)],
  'the range of something larger': [206, 'bytes 10-19/30', (content) => content.subarray(10)],
  'a range that it does not name': [206, undefined, (content) => content.subarray(10)],
}

test.each(Object.keys(otherRanges))(
  'a server that answers a range with %s is asked for all of the blob',
  async (name) => {
    const [status, range, body] = otherRanges[name] ?? [0, '', (content) => content]
    const content = randomBytes(20)
    await using registry = await startRegistry((request, response) => {
      if (request.headers.range === undefined) return undefined
      response.writeHead(status, range === undefined ? {} : { 'content-range': range }).end(body(content))
      return true
    })
    const blob = registry.addBlob(content)
    const log: string[] = []
    const got = await withRepository([registry], (repository) => collect(repository.fetchBlob(blob, 10)), {
      log: (message) => log.push(message),
    })
    expect(got).toEqual(content.subarray(10))
    const blobs = registry.requests.filter(({ path }) => path.includes('blobs'))
    expect(blobs.map(({ headers }) => headers.range)).toEqual(['bytes=10-', undefined])
    expect(log).toEqual([expect.stringMatching(/; the blob is fetched from its beginning$/)])
  },
)

test('a range of a blob that was not requested is refused', async () => {
  const wrong = (_: IncomingMessage, response: ServerResponse) => {
    response.writeHead(206, { 'content-range': 'bytes 0-9/20' })
    response.end(Buffer.alloc(10))
  }
  await using registry = await startRegistry(first(9, /blobs/, wrong))
  const blob = registry.addBlob(randomBytes(20))
  await withRepository([registry], async (repository) => {
    await expect(collect(repository.fetchBlob(blob, 10))).rejects.toMatchObject({
      code: 'ERR_REGISTRY',
      message: expect.stringContaining('sends bytes 0-9/20 where all 20 bytes were requested'),
    })
  })
})

test('a blob that breaks at the same byte every time is given up', async () => {
  const content = randomBytes(10_000)
  await using registry = await startRegistry(
    first(99, /blobs/, (_, response) => {
      response.writeHead(200, { 'content-length': content.byteLength })
      response.flushHeaders()
      setImmediate(() => response.destroy())
    }),
  )
  const blob = registry.addBlob(content)
  await withRepository([registry], async (repository) => {
    await expect(collect(repository.fetchBlob(blob))).rejects.toMatchObject({ code: 'ERR_NETWORK' })
  })
  expect(registry.blobRequests()).toHaveLength(5)
})

test('when a mirror fails the next endpoint serves, and when all fail each is named', async () => {
  await using bad = await startRegistry((_, response) => sendError(response, 404, 'MANIFEST_UNKNOWN'))
  await using good = await startRegistry()
  good.addManifest('r', 't', manifest)
  const blob = good.addBlob('x')
  await withRepository([bad, good], async (repository) => {
    await repository.fetchManifest('t')
    await collect(repository.fetchBlob(blob))
    expect(bad.blobRequests()).toEqual([])
    const error = await repository.fetchManifest('other').catch((caught: unknown) => caught)
    expect(error).toMatchObject({ code: 'ERR_IMAGE_NOT_FOUND' })
    expect(String(error)).toContain(bad.host)
    expect(String(error)).toContain(good.host)
  })
})

test('an abort ends the request with its reason', async () => {
  await using registry = await startRegistry(first(9, /manifests/, () => {}))
  const controller = new AbortController()
  const reason = new Error('enough')
  await withRepository(
    [registry],
    async (repository) => {
      setTimeout(() => controller.abort(reason), 50)
      await expect(repository.fetchManifest('t')).rejects.toBe(reason)
    },
    { signal: controller.signal },
  )
})

test('a connection without data counts as broken, and another one continues', async () => {
  const content = randomBytes(100_000)
  const stall = (_: IncomingMessage, response: ServerResponse) => {
    response.writeHead(200, { 'content-length': content.byteLength })
    response.write(content.subarray(0, 40_000))
  }
  await using registry = await startRegistry(first(1, /blobs/, stall))
  const blob = registry.addBlob(content)
  await withRepository(
    [registry],
    async (repository) => expect((await collect(repository.fetchBlob(blob))).equals(content)).toBe(true),
    { stallTimeoutMs: 200 },
  )
  expect(registry.requests.map(({ headers }) => headers.range)).toContain('bytes=40000-')
})

test('a manifest whose connection breaks is requested again', async () => {
  const text = Buffer.from(JSON.stringify(manifest))
  await using registry = await startRegistry(first(1, /manifests/, cutAfter(text, 10)))
  registry.addManifest('r', 't', manifest)
  await withRepository([registry], async (repository) => {
    expect((await repository.fetchManifest('t')).content).toEqual(text)
  })
})

test('an answer that announces less than the blob has is refused', async () => {
  const page = '<html>sign in</html>'
  await using registry = await startRegistry(
    first(9, /blobs/, (_, response) => response.writeHead(200, { 'content-length': page.length }).end(page)),
  )
  const blob = registry.addBlob(randomBytes(1000))
  const taken: Uint8Array[] = []
  await withRepository([registry], async (repository) => {
    const take = async () => {
      for await (const chunk of repository.fetchBlob(blob)) taken.push(chunk)
    }
    await expect(take()).rejects.toMatchObject({
      code: 'ERR_NETWORK',
      message: expect.stringContaining('announces 20 bytes where 1000 are described'),
    })
  })
  expect(taken).toEqual([])
})
