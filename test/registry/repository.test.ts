import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import type { ConnectionOptions } from '../../src/registry/connection-options.ts'
import { openRepository, type Repository } from '../../src/registry/repository.ts'
import { type FakeRegistry, type Fault, sendError, sha256, startRegistry } from './fake-registry.ts'

const manifest = { schemaVersion: 2, config: {}, layers: [] }
const noWait = async () => {}

async function collect(content: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks = []
  for await (const chunk of content) chunks.push(chunk)
  return Buffer.concat(chunks)
}

const at = (registry: FakeRegistry, repository = 'r') => ({ registry: registry.host, repository, isInsecure: false })

async function withRepository<T>(
  registries: readonly FakeRegistry[],
  use: (repository: Repository) => Promise<T>,
  options: ConnectionOptions = {},
): Promise<T> {
  const repository = openRepository(
    registries.map((registry) => at(registry)),
    { wait: noWait, ...options },
  )
  try {
    return await use(repository)
  } finally {
    await repository.close()
  }
}

/** Applies a fault to the first `times` requests whose path matches. */
function first(
  times: number,
  path: RegExp,
  fault: (request: IncomingMessage, response: ServerResponse) => void,
): Fault {
  let left = times
  return (request, response) => {
    if (left === 0 || !path.test(request.url ?? '')) return undefined
    left--
    fault(request, response)
    return true
  }
}

const cutAfter = (content: Uint8Array, bytes: number) => (_: IncomingMessage, response: ServerResponse) => {
  response.writeHead(200, { 'content-length': content.byteLength })
  response.write(content.subarray(0, bytes), () => response.destroy())
}

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

test('Bearer: the token is fetched once and used for everything after', async () => {
  await using registry = await startRegistry((request, response) => {
    if (request.url?.startsWith('/token')) {
      response.end(JSON.stringify({ token: 'T0ken' }))
      return true
    }
    if (request.url === '/v2/' || request.headers.authorization === 'Bearer T0ken') return undefined
    const challenge = `Bearer realm="http://${registry.host}/token?x=1",service="s",scope="repository:r:pull"`
    return sendError(response, 401, 'UNAUTHORIZED', { 'www-authenticate': challenge })
  })
  registry.addManifest('r', 't', manifest)
  const blob = registry.addBlob('content')
  const credentials = async () => ({ kind: 'password', username: 'me', password: 'pw' }) as const
  await withRepository(
    [registry],
    async (repository) => {
      await repository.fetchManifest('t')
      expect(await collect(repository.fetchBlob(blob))).toEqual(Buffer.from('content'))
    },
    { credentials },
  )
  const tokens = registry.requests.filter(({ path }) => path.startsWith('/token'))
  expect(tokens.map(({ path }) => path)).toEqual(['/token?x=1&service=s&scope=repository%3Ar%3Apull'])
  expect(tokens[0]?.headers.authorization).toBe(`Basic ${Buffer.from('me:pw').toString('base64')}`)
})

test('Bearer: a token that has expired is replaced, also in the middle of a layer', async () => {
  const content = randomBytes(100_000)
  let issued = 0
  let uses = 0
  await using registry = await startRegistry((request, response) => {
    if (request.url?.startsWith('/token')) {
      issued += 1
      uses = 0
      response.end(JSON.stringify({ access_token: `token${issued}` }))
      return true
    }
    if (request.url === '/v2/') return undefined
    uses += 1
    if (request.headers.authorization !== `Bearer token${issued}` || uses > 2) {
      const challenge = `Bearer realm="http://${registry.host}/token",service="s",scope="repository:r:pull"`
      return sendError(response, 401, 'UNAUTHORIZED', { 'www-authenticate': challenge })
    }
    if (request.headers.range !== undefined || !request.url?.includes('/blobs/')) return undefined
    cutAfter(content, 40_000)(request, response)
    return true
  })
  registry.addManifest('r', 't', manifest)
  const blob = registry.addBlob(content)
  await withRepository([registry], async (repository) => {
    await repository.fetchManifest('t')
    expect((await collect(repository.fetchBlob(blob))).equals(content)).toBe(true)
  })
  expect(issued).toBe(2)
})

test('Basic: credentials are sent when required, and their absence is explained', async () => {
  const expected = `Basic ${Buffer.from('me:pw').toString('base64')}`
  await using registry = await startRegistry((request, response) => {
    if (request.headers.authorization === expected) return undefined
    return sendError(response, 401, 'UNAUTHORIZED', { 'www-authenticate': 'Basic realm="r"' })
  })
  registry.addManifest('r', 't', manifest)
  const credentials = async () => ({ kind: 'password', username: 'me', password: 'pw' }) as const
  await withRepository([registry], (repository) => repository.fetchManifest('t'), { credentials })
  await withRepository([registry], async (repository) => {
    await expect(repository.fetchManifest('t')).rejects.toMatchObject({
      code: 'ERR_REGISTRY_AUTH',
      hint: expect.stringContaining('bundle-tool login'),
    })
  })
})

test('wrong credentials are an authorization error without the password in it', async () => {
  await using registry = await startRegistry((_, response) =>
    sendError(response, 401, 'UNAUTHORIZED', { 'www-authenticate': 'Basic realm="r"' }),
  )
  const credentials = async () => ({ kind: 'password', username: 'me', password: 'hunter2' }) as const
  await withRepository(
    [registry],
    async (repository) => {
      const error = await repository.fetchManifest('t').catch((caught: unknown) => caught)
      expect(error).toMatchObject({ code: 'ERR_REGISTRY_AUTH' })
      expect(JSON.stringify(error) + String(error)).not.toMatch(/hunter2|bWU6/)
    },
    { credentials },
  )
})

test('a redirect to another host carries no Authorization (opa#6580), and its query stays out of errors', async () => {
  await using storage = await startRegistry()
  await using registry = await startRegistry((request, response) => {
    if (request.headers.authorization === undefined) {
      return sendError(response, 401, 'UNAUTHORIZED', { 'www-authenticate': 'Basic realm="r"' })
    }
    if (!request.url?.includes('/blobs/')) return undefined
    response.writeHead(307, { location: `http://${storage.host}${request.url}?X-Signature=s3cret` })
    response.end()
    return true
  })
  const blob = storage.addBlob('moved')
  const credentials = async () => ({ kind: 'password', username: 'me', password: 'pw' }) as const
  await withRepository(
    [registry],
    async (repository) => {
      expect(await collect(repository.fetchBlob(blob))).toEqual(Buffer.from('moved'))
      const missing = { ...blob, digest: sha256('not there') }
      const error = await collect(repository.fetchBlob(missing)).catch((caught: unknown) => caught)
      expect(error).toMatchObject({ code: 'ERR_IMAGE_NOT_FOUND', message: expect.stringContaining(storage.host) })
      expect(String(error)).not.toContain('s3cret')
    },
    { credentials },
  )
  expect(storage.requests.length).toBeGreaterThan(0)
  expect(storage.requests.every(({ headers }) => headers.authorization === undefined)).toBe(true)
})

test('CVE-2024-45336: a host that is redirected to cannot redirect back with Authorization to a path of its choice', async () => {
  await using storage = await startRegistry((_, response) => {
    response.writeHead(307, { location: `http://${registry.host}/v2/other/blobs/chosen` }).end()
    return true
  })
  await using registry = await startRegistry((request, response) => {
    if (request.url?.includes('/chosen')) return undefined
    if (request.headers.authorization === undefined) {
      return sendError(response, 401, 'UNAUTHORIZED', { 'www-authenticate': 'Basic realm="r"' })
    }
    if (!request.url?.includes('/blobs/')) return undefined
    response.writeHead(307, { location: `http://${storage.host}${request.url}` }).end()
    return true
  })
  const credentials = async () => ({ kind: 'password', username: 'me', password: 'pw' }) as const
  const blob = { mediaType: 'x', digest: sha256('x'), size: 1 }
  await withRepository(
    [registry],
    (repository) => expect(collect(repository.fetchBlob(blob))).rejects.toMatchObject({ code: 'ERR_IMAGE_NOT_FOUND' }),
    { credentials },
  )
  const chosen = registry.requests.filter(({ path }) => path.includes('/chosen'))
  expect(chosen.map(({ headers }) => headers.authorization)).toEqual([undefined])
})

test('a redirect that never ends is given up', async () => {
  await using registry = await startRegistry(
    first(99, /manifests/, (request, response) => {
      response.writeHead(302, { location: request.url ?? '' })
      response.end()
    }),
  )
  await withRepository([registry], async (repository) => {
    await expect(repository.fetchManifest('t')).rejects.toThrow(/redirects more than/)
  })
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
