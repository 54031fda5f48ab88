import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { sendError, sha256, startRegistry } from './fake-registry.ts'
import { collect, cutAfter, first, manifest, withRepository } from './repository-calls.ts'

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
