import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, connect as connectSocket } from 'node:net'
import { expect, test } from 'vitest'
import { isPrivateAddress } from '../../src/registry/http.ts'
import { proxySettings } from '../../src/registry/proxy.ts'
import { openRepository } from '../../src/registry/repository.ts'
import { type Fault, startRegistry } from './fake-registry.ts'

/** A proxy behind which every host is the registry at `port`; with `wanted`, for those who say that alone. */
async function startProxy(port: number, wanted?: string) {
  const asked: string[] = []
  const isAllowed = ({ headers }: IncomingMessage): boolean =>
    wanted === undefined || headers['proxy-authorization'] === `Basic ${Buffer.from(wanted).toString('base64')}`
  const server = createServer((_request: IncomingMessage, response: ServerResponse) => response.writeHead(405).end())
  server.on('connect', (request, socket, head) => {
    asked.push(request.url ?? '')
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

test('a registry is asked through the proxy of HTTP_PROXY, in either case, and the lower one counts', async () => {
  await using both = await startBoth()
  const url = `http://${both.proxy.host}`
  for (const env of [
    { HTTP_PROXY: url },
    { http_proxy: url, HTTP_PROXY: 'http://127.0.0.1:1' },
    { HTTP_PROXY: url, NO_PROXY: 'other.example' },
  ]) {
    expect(await fetchManifest('registry.example:80', env)).toBe('the manifest')
  }
  expect(new Set(both.proxy.asked)).toContain('registry.example:80')
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

test('this host is never asked through a proxy', async () => {
  await using both = await startBoth()
  const env = { HTTP_PROXY: `http://${both.proxy.host}`, HTTPS_PROXY: `http://${both.proxy.host}` }
  expect(await fetchManifest(both.registry.host, env)).toBe('the manifest')
  expect(both.proxy.asked).toEqual([])
})

test('a proxy is told the name and password of its URL, and no error repeats them', async () => {
  await using both = await startBoth(undefined, 'me:s3cret')
  const at = (userinfo: string) => ({ HTTP_PROXY: `http://${userinfo}@${both.proxy.host}` })
  expect(await fetchManifest('registry.example:80', at('me:s3cret'))).toBe('the manifest')
  const error = await fetchManifest('registry.example:80', at('me:wr0ng')).catch((caught: unknown) => caught)
  expect(error).toMatchObject({ code: 'ERR_NETWORK', message: expect.stringContaining('407') })
  expect(JSON.stringify(error) + String(error)).not.toContain('wr0ng')
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
    expect(new Set(asked.filter((host) => !host.startsWith('registry.example:')))).toEqual(new Set())
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
