import { once } from 'node:events'
import { readFileSync, rmSync } from 'node:fs'
import { createServer, type RequestListener, type ServerResponse } from 'node:http'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type FakeRegistry, type Fault, sendError, sha256, startRegistry } from '../registry/fake-registry.ts'
import { dockerFiles, makeImage, makeLayer, makeTar, type TestImage } from '../source/build-image.ts'
import { forms, ImageCommands, serve } from './image-command.ts'

const form = forms['bin/bundle-tool.js'] ?? []
const here = new ImageCommands()
const run = (...args: readonly string[]) => here.run(form, args)
const pull = (host: string, ...more: readonly string[]) =>
  run('pull', '--quiet', '--out', here.at('bundle'), '--store', here.at('store'), `${host}/app:1`, ...more)

let image: TestImage
beforeAll(async () => {
  image = makeImage([await makeLayer({ file: 'content' })])
})
afterEach(() => {
  for (const name of ['bundle', 'store']) rmSync(here.at(name), { recursive: true, force: true })
})
afterAll(() => here[Symbol.dispose]())

/** A registry with the image, in front of which `fault` answers. */
async function serving(fault: Fault): Promise<FakeRegistry> {
  const registry = await startRegistry(fault)
  serve(registry, image)
  return registry
}

const isPulled = { status: 0, stderr: '' }
const codings = { gzip: gzipSync, 'x-gzip': gzipSync, deflate: deflateSync, br: brotliCompressSync }

describe.each(Object.entries(codings))('a body that is sent with Content-Encoding: %s', (coding, encode) => {
  /** Sends the body of the paths that match in the coding. */
  const coded =
    (path: RegExp, body: () => Uint8Array): Fault =>
    ({ url = '', headers }, response) => {
      if (!path.test(url)) return undefined
      expect(headers['accept-encoding']).toBe('identity')
      response.writeHead(200, { 'content-encoding': coding }).end(encode(body()))
      return true
    }

  test('is a manifest', async () => {
    await using registry = await serving(coded(/manifests/, () => image.manifest))
    expect(await pull(registry.host)).toMatchObject(isPulled)
  })

  test('is a token', async () => {
    await using registry = await serving((request, response) => {
      if (request.headers.authorization === 'Bearer granted') return undefined
      const challenge = `Bearer realm="http://${request.headers.host}/token"`
      return (
        coded(/^\/token/, () => Buffer.from('{"token":"granted"}'))(request, response) ??
        sendError(response, 401, 'UNAUTHORIZED', { 'www-authenticate': challenge })
      )
    })
    expect(await pull(registry.host)).toMatchObject(isPulled)
  })

  test('is a list of tags', async () => {
    await using registry = await serving(coded(/tags\/list/, () => Buffer.from('{"tags":["1","2"]}')))
    expect(await run('list-tags', `${registry.host}/app`)).toMatchObject({ status: 0, stdout: '1\n2\n', stderr: '' })
  })

  test('is an error', async () => {
    const answer = Buffer.from('{"errors":[{"code":"DENIED","message":"so it is"}]}')
    await using registry = await serving(({ url = '' }, response) => {
      if (!url.includes('manifests')) return undefined
      response.writeHead(403, { 'content-encoding': coding }).end(encode(answer))
      return true
    })
    expect((await pull(registry.host)).stderr).toContain('403 DENIED: so it is')
  })

  test('is a layer, also after the connection broke', async () => {
    const blob = image.layers[0]?.blob ?? Buffer.alloc(0)
    let requests = 0
    await using registry = await serving(({ url = '' }, response) => {
      if (!url.endsWith(sha256(blob))) return undefined
      const sent = encode(blob)
      response.writeHead(200, { 'content-encoding': coding })
      requests += 1
      if (requests > 1) response.end(sent)
      else response.write(sent.subarray(0, -10), () => response.destroy())
      return true
    })
    expect(await pull(registry.host)).toMatchObject(isPulled)
    expect(requests).toBeGreaterThan(1)
    expect(readFileSync(here.at('bundle/rootfs/file'), 'utf8')).toBe('content')
  })

  test('is not read past its limit', async () => {
    const bomb = Buffer.alloc(64 * 1024 * 1024, ' ')
    await using registry = await serving(coded(/manifests/, () => bomb))
    expect(await pull(registry.host)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('sends more than 4194304 bytes'),
    })
  })

  test('is an error that names the coding where it is damaged', async () => {
    await using registry = await serving(({ url = '' }, response) => {
      if (!url.includes('manifests')) return undefined
      response.writeHead(200, { 'content-encoding': coding }).end(Buffer.alloc(100, 0xff))
      return true
    })
    const { status, stderr } = await pull(registry.host)
    expect({ status, stderr }).toMatchObject({
      status: 1,
      stderr: expect.stringContaining(`sends damaged data in the coding ${coding}`),
    })
  })
})

test('a layer that is labelled with its own compression stays as it is', async () => {
  const blob = image.layers[0]?.blob ?? Buffer.alloc(0)
  await using registry = await serving(({ url = '' }, response) => {
    if (!url.endsWith(sha256(blob))) return undefined
    response.writeHead(200, { 'content-encoding': 'gzip', 'content-length': blob.byteLength }).end(blob)
    return true
  })
  expect(await pull(registry.host)).toMatchObject(isPulled)
})

test.each(['zstd-of-a-kind', 'gzip, gzip, gzip'])('the content coding "%s" is refused', async (coding) => {
  await using registry = await serving(({ url = '' }, response) => {
    if (!url.includes('manifests')) return undefined
    response.writeHead(200, { 'content-encoding': coding }).end('x')
    return true
  })
  expect(await pull(registry.host)).toMatchObject({ status: 1, stderr: expect.stringMatching(/content coding/) })
})

test.each([
  ['scope=""', 'repository:app:pull', 's'],
  ['scope="",error="invalid_token"', 'repository:app:pull', 's'],
  ['scope="other"', 'other', 's'],
  ['service=""', 'repository:app:pull', null],
])('of a challenge with %s the token server gets the scope %s and the service %s', async (more, scope, service) => {
  const asked: URLSearchParams[] = []
  await using registry = await serving(({ url = '', headers }, response) => {
    if (headers.authorization === 'Bearer granted') return undefined
    if (url.startsWith('/token')) {
      asked.push(new URL(url, 'http://x').searchParams)
      response.end('{"token":"granted"}')
      return true
    }
    const named = more.startsWith('service') ? '' : ',service="s"'
    const challenge = `Bearer realm="http://${headers.host}/token"${named},${more}`
    return sendError(response, 401, 'UNAUTHORIZED', { 'www-authenticate': challenge })
  })
  expect(await pull(registry.host)).toMatchObject(isPulled)
  expect(asked.map((query) => [query.getAll('scope'), query.get('service')])[0]).toEqual([[scope], service])
})

describe('a Docker-Content-Digest', () => {
  const wrong = sha256('something else')
  const stating = (digest: string): Fault => {
    return ({ url = '' }, response) => {
      if (!url.includes('manifests') || url.includes('sha256')) return undefined
      response.writeHead(200, { 'docker-content-digest': digest }).end(image.manifest)
      return true
    }
  }

  test('that is wrong is told of, and the digest of the bytes counts', async () => {
    await using registry = await serving(stating(wrong))
    const { status, stdout, stderr } = await pull(registry.host)
    const digest = sha256(image.manifest)
    expect({ status, stdout, stderr }).toEqual({
      status: 0,
      stdout: `${registry.host}/app:1@${digest}\n`,
      stderr: `warning: http://${registry.host}/v2/app/manifests/1 is ${digest}, and not ${wrong} as the registry says\n`,
    })
  })

  test('of another manifest is followed', async () => {
    const other = makeImage(image.layers, { cmd: ['other'] })
    await using registry = await serving(stating(sha256(other.manifest)))
    registry.addBlob(other.config)
    registry.addManifest('app', 'other', other.manifest.toString())
    const { stdout, stderr } = await pull(registry.host)
    expect(stdout).toBe(`${registry.host}/app:1@${sha256(other.manifest)}\n`)
    expect(stderr).toMatch(/^warning: .* as the registry says; that is used\n$/)
  })

  test('of a manifest that is damaged on its way is an error', async () => {
    await using registry = await serving(({ url = '' }, response) => {
      if (!url.includes('manifests')) return undefined
      response.writeHead(200, { 'docker-content-digest': sha256(image.manifest) }).end(`${image.manifest} `)
      return true
    })
    expect(await pull(registry.host)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining(`is ${sha256(`${image.manifest} `)}, not ${sha256(image.manifest)}`),
    })
  })

  test.each(['', 'W/"1"', 'md5:d41d8cd98f00b204e9800998ecf8427e'])('that is "%s" is none', async (stated) => {
    await using registry = await serving(stating(stated))
    expect(await pull(registry.host)).toMatchObject(isPulled)
  })

  test('changes nothing where a digest is asked for', async () => {
    await using registry = await serving(({ url = '' }, response) => {
      if (url.includes('manifests')) response.setHeader('docker-content-digest', wrong)
      return undefined
    })
    const named = `${registry.host}/app@${sha256(image.manifest)}`
    expect(await run('inspect', named)).toMatchObject(isPulled)
  })
})

describe('a list of tags ends where it would begin again', () => {
  const answer = (response: ServerResponse, next: string, tags: readonly string[]): true => {
    response.setHeader('link', `<${next}>; rel="next"`)
    response.end(JSON.stringify({ tags }))
    return true
  }

  test('at a page that names itself', async () => {
    await using registry = await serving(({ url = '' }, response) =>
      url.includes('tags/list') ? answer(response, '/v2/app/tags/list', ['1', '2']) : undefined,
    )
    expect(await run('list-tags', `${registry.host}/app`)).toEqual({
      status: 0,
      stdout: '1\n2\n',
      stderr: `warning: http://${registry.host}/v2/app/tags/list names a page as the next one that it has had; the list ends there\n`,
    })
  })

  test('at a server that gives every page for any of them', async () => {
    await using registry = await serving(({ url = '' }, response) =>
      url.includes('tags/list') ? answer(response, '/v2/app/tags/list?last=2', ['1', '2']) : undefined,
    )
    expect(await run('list-tags', `${registry.host}/app`)).toMatchObject({ status: 0, stdout: '1\n2\n' })
    expect(registry.requests.filter(({ path }) => path.includes('tags'))).toHaveLength(2)
  })
})

describe('what a daemon says is passed on', () => {
  const inspectBy = async (answer: RequestListener) => {
    const server = createServer(answer).listen(here.at('docker.sock'))
    await once(server, 'listening')
    const env = { DOCKER_HOST: `unix://${here.at('docker.sock')}` }
    try {
      return await here.run(form, ['inspect', 'docker-daemon:app:1'], env)
    } finally {
      server.closeAllConnections()
      server.close()
    }
  }
  const at = `docker.io/library/app:1 from the daemon at ${here.at('docker.sock')}`

  test.each([
    [404, '{"message":"No such image: app:1"}', 'No such image: app:1 (404)'],
    [
      404,
      '{"cause":"image not known","message":"app:1: image not known","response":404}',
      'app:1: image not known (404)',
    ],
    [500, '{"message":"no space left on device"}', 'no space left on device (500)'],
    [503, 'starting up', 'starting up (503)'],
    [500, '{}', 'it answers 500'],
    [500, `{"message":"${'x'.repeat(2 << 20)}"}`, 'it answers 500'],
    [500, '{"message":"\\u001b[31mred\\n"}', '[31mred (500)'],
  ])('%i %.60s', async (status, body, said) => {
    const { status: exit, stderr } = await inspectBy((_, response) => response.writeHead(status).end(body))
    expect(exit).toBe(1)
    expect(stderr.split('\n')[0]).toBe(`error: cannot get ${at}: ${said}`)
  })

  test('also when it comes after the beginning of the archive', async () => {
    const tar = await makeTar(dockerFiles([{ tags: ['app:1'], image }]))
    const late =
      '{"errorDetail":{"message":"open layer.tar: input/output error"},"error":"open layer.tar: input/output error"}'
    const { stderr } = await inspectBy((_, response) => {
      response.write(tar.subarray(0, 1024))
      response.end(late)
    })
    expect(stderr).toBe(`error: cannot get ${at}: open layer.tar: input/output error\n`)
  })

  test('and a connection that breaks is an error that says so', async () => {
    const { stderr } = await inspectBy((_, response) => {
      response.writeHead(200, { 'content-length': 10_000 })
      response.write('x'.repeat(1000), () => response.destroy())
    })
    expect(stderr).toMatch(/^error: the daemon at \S+ ends its answer too early: /)
    expect(stderr).not.toMatch(/stack|\n {4}at /)
  })
})
