import { createServer, request as httpRequest, type IncomingMessage } from 'node:http'
import { type AddressInfo, connect as connectSocket } from 'node:net'
import { expect, test } from 'vitest'
import { isPrivateAddress } from '../../src/registry/private-address.ts'
import { parseProxy, proxySettings } from '../../src/registry/proxy.ts'
import { parseExceptions } from '../../src/registry/proxy-exceptions.ts'
import { openRepository } from '../../src/registry/repository.ts'
import { type Fault, startRegistry } from './fake-registry.ts'

/**
 * A proxy that leads every host to the registry at `port`, by tunnel or for plain http requests. With `wanted` it
 * serves only requests with that authorization.
 */
async function startProxy(port: number, wanted?: string) {
  const asked: string[] = []
  const isAllowed = ({ headers }: IncomingMessage): boolean =>
    wanted === undefined || headers['proxy-authorization'] === `Basic ${Buffer.from(wanted).toString('base64')}`
  const server = createServer((request, response) => {
    const { host, pathname, search } = new URL(request.url ?? '')
    asked.push(host)
    if (!isAllowed(request)) return void response.writeHead(407).end()
    const { 'proxy-authorization': _, ...headers } = request.headers
    const onAnswer = (answer: IncomingMessage) =>
      answer.pipe(response.writeHead(answer.statusCode ?? 500, answer.headers))
    request.pipe(httpRequest({ port, path: pathname + search, method: request.method ?? 'GET', headers }, onAnswer))
  })
  server.on('connect', (request, socket, head) => {
    asked.push(`CONNECT ${request.url ?? ''}`)
    socket.on('error', () => {})
    if (!isAllowed(request)) return void socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n')
    const upstream = connectSocket(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      upstream.write(head)
      socket.pipe(upstream).pipe(socket)
    })
    upstream.on('error', () => socket.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function fetchManifest(registry: string, env: NodeJS.ProcessEnv): Promise<string> {
  const endpoint = { registry, repository: 'app', isInsecure: true }
  const repository = openRepository([endpoint], { proxy: proxySettings(env), wait: async () => {} })
  try {
    return (await repository.fetchManifest('1')).content.toString()
  } finally {
    await repository.close()
  }
}

async function startBoth(fault?: Fault, wanted?: string) {
  const registry = await startRegistry(fault)
  registry.addManifest('app', '1', 'the manifest')
  const proxy = await startProxy(Number(registry.host.split(':')[1]), wanted)
  return {
    registry,
    proxy,
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]()
      await registry[Symbol.asyncDispose]()
    },
  }
}

test('requests go through the proxy of HTTP_PROXY or http_proxy, and the lower-case variable wins', async () => {
  await using both = await startBoth()
  const url = `http://${both.proxy.host}`
  for (const env of [
    { HTTP_PROXY: url },
    { http_proxy: url, HTTP_PROXY: 'http://127.0.0.1:1' },
    { HTTP_PROXY: url, NO_PROXY: 'other.example' },
  ]) {
    expect(await fetchManifest('registry.example:80', env)).toBe('the manifest')
  }
  expect(new Set(both.proxy.asked)).toEqual(new Set(['registry.example']))
})

test.each(['registry.example', '.example', '*', 'other.test, registry.example:80'])(
  'NO_PROXY=%s keeps a registry away from the proxy',
  async (exception) => {
    await using both = await startBoth()
    const env = { HTTP_PROXY: `http://${both.proxy.host}`, HTTPS_PROXY: 'http://127.0.0.1:1', NO_PROXY: exception }
    await expect(fetchManifest('registry.example:80', env)).rejects.toMatchObject({ code: 'ERR_NETWORK' })
    expect(both.proxy.asked).toEqual([])
  },
)

test('this host is never reached through a proxy', async () => {
  await using both = await startBoth()
  const env = { HTTP_PROXY: `http://${both.proxy.host}`, HTTPS_PROXY: `http://${both.proxy.host}` }
  expect(await fetchManifest(both.registry.host, env)).toBe('the manifest')
  expect(both.proxy.asked).toEqual([])
})

test('a proxy gets the name and password of its URL, and no error repeats them', async () => {
  await using both = await startBoth(undefined, 'me:s3cret')
  const at = (userinfo: string) => ({ HTTP_PROXY: `http://${userinfo}@${both.proxy.host}` })
  expect(await fetchManifest('registry.example:80', at('me:s3cret'))).toBe('the manifest')
  const error = await fetchManifest('registry.example:80', at('me:wr0ng')).catch((caught: unknown) => caught)
  expect(error).toMatchObject({ code: 'ERR_NETWORK', message: expect.stringContaining('407') })
  expect(JSON.stringify(error) + String(error)).not.toContain('wr0ng')
})

test.each([
  ['127.0.0.1:8888', 'http://127.0.0.1:8888', undefined],
  ['proxy.example', 'http://proxy.example', undefined],
  ['http://[::1]:8888/', 'http://[::1]:8888', undefined],
  ['https://proxy.example:443', 'https://proxy.example', undefined],
  ['http://me@proxy:1', 'http://proxy:1', 'me:'],
  ['me:p%40ss%25@proxy:1', 'http://proxy:1', 'me:p@ss%'],
])('the proxy "%s" is at %s', (value, origin, credentials) => {
  const authorization = credentials && `Basic ${Buffer.from(credentials).toString('base64')}`
  expect(parseProxy({ variable: 'HTTP_PROXY', value })).toEqual({ origin, authorization })
})

test.each([
  ['http://s3cret@:x', 'ERR_CONFIG_INVALID', /^https_proxy is not the URL of a proxy$/],
  ['http://me:s3cret%zz@proxy', 'ERR_CONFIG_INVALID', /^https_proxy has a "%" in the name or the password/],
  ['socks5://me:s3cret@proxy', 'ERR_NOT_SUPPORTED', /^https_proxy names a proxy of the kind "socks5"$/],
])(
  'the proxy "%s" is refused in an error that names the variable, since its value may have a password',
  async (value, code, message) => {
    const refused = fetchManifest('registry.example:80', { HTTP_PROXY: 'http://127.0.0.1:1', https_proxy: value })
    await expect(refused).rejects.toMatchObject({ code, message: expect.stringMatching(message) })
  },
)

test.each([
  ['https://registry.example', 'registry.example', true],
  ['https://a.registry.example', 'registry.example', true],
  ['https://xregistry.example', 'registry.example', false],
  ['https://registry.example', '.example', true],
  ['https://registry.example', '*.example', true],
  ['https://registry.example', 'a.registry.example', false],
  ['https://registry.example', 'other, REGISTRY.example ', true],
  ['https://registry.example', 'other\tregistry.example', true],
  ['https://registry.example', 'registry.example:443', true],
  ['http://registry.example', 'registry.example:443', false],
  ['http://registry.example:5000', '.example:5000', true],
  ['https://registry.example', 'other,*', true],
  ['https://xn--bcher-kva.example', 'bücher.example', true],
  ['http://10.1.2.3:5000', '10.0.0.0/8', true],
  ['http://11.1.2.3:5000', '10.0.0.0/8', false],
  ['http://10.1.2.3', '10.1.2.3', true],
  ['http://10.1.2.3', '10.1.2.3:80', true],
  ['http://10.1.2.3', '10.1.2.3:81', false],
  ['http://10.1.2.3', '0.0.0.0/0', true],
  ['http://10.1.2.3', '10.0.0.0/33', false],
  ['http://10.1.2.3', '2.3', false],
  ['http://10.example', '10.0.0.0/8', false],
  ['http://[fd00::1]:5000', 'fd00::/8', true],
  ['http://[fe00::1]:5000', 'fd00::/8', false],
  ['http://[fd00::1]', 'fd00:0:0::1', true],
  ['http://[fd00::1]:5000', '[fd00::1]:5000', true],
  ['http://[fd00::1]:5001', '[fd00::1]:5000', false],
  ['http://registry.example', '', false],
  ['http://registry.example', ',, /8,:80', false],
])('%s with NO_PROXY=%j needs no proxy: %s', (url, exceptions, isExcepted) => {
  expect(parseExceptions(exceptions)(new URL(url))).toBe(isExcepted)
})

test.each(['http://127.0.0.1/x', 'http://169.254.169.254/latest', 'http://10.0.0.1/', 'http://[fd00::1]/', 'ftp://x/'])(
  'a registry elsewhere cannot send us to %s, by a redirect or for a token',
  async (target) => {
    await using redirecting = await startBoth((_, response) => {
      response.writeHead(307, { location: target }).end()
      return true
    })
    const through = ({ proxy }: typeof redirecting) => ({ HTTP_PROXY: `http://${proxy.host}` })
    await expect(fetchManifest('registry.example:80', through(redirecting))).rejects.toMatchObject({
      code: 'ERR_REGISTRY',
      message: expect.stringMatching(/redirects to .*; refused$/),
    })
    await using challenging = await startBoth((_, response) => {
      response.writeHead(401, { 'www-authenticate': `Bearer realm="${target}"` }).end()
      return true
    })
    await expect(fetchManifest('registry.example:80', through(challenging))).rejects.toMatchObject({
      code: 'ERR_REGISTRY',
      message: expect.stringMatching(/names the token server .*; refused$/),
    })
    const asked = [...redirecting.proxy.asked, ...challenging.proxy.asked]
    expect(new Set(asked)).toEqual(new Set(['registry.example']))
  },
)

test.each([
  ['localhost', true],
  ['x.localhost', true],
  ['127.1.2.3', true],
  ['10.0.0.1', true],
  ['172.16.0.1', true],
  ['172.32.0.1', false],
  ['192.168.1.1', true],
  ['169.254.169.254', true],
  ['100.64.0.1', true],
  ['100.128.0.1', false],
  ['0.0.0.0', true],
  ['[::1]', true],
  ['[::]', true],
  ['[fe80::1]', true],
  ['[fd12::1]', true],
  ['[::ffff:7f00:1]', true],
  ['[2001:db8::1]', false],
  ['8.8.8.8', false],
  ['10.example.com', false],
  ['fd.example.com', false],
])('%s is an address of this machine or its network: %s', (hostname, isPrivate) => {
  expect(isPrivateAddress(hostname)).toBe(isPrivate)
})
