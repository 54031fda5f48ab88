import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import { type AddressInfo, connect as connectSocket, createServer as createTcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { afterAll, beforeAll, expect } from 'vitest'
import { openRepository } from '../../src/registry/repository.ts'
import { requires } from '../requirements.ts'
import { makeAuthority } from './authority.ts'
import { sha256, startRegistry } from './fake-registry.ts'

const directory = mkdtempSync(join(tmpdir(), 'tls-'))
afterAll(() => rmSync(directory, { recursive: true }))
const at = (name: string) => join(directory, name)
const { test } = requires('openssl')

beforeAll(() => makeAuthority(directory))

async function startTls(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
  wantsClient: boolean | 'if there is one' = false,
) {
  const files = { key: readFileSync(at('server.key')), cert: readFileSync(at('server.crt')) }
  const client = wantsClient
    ? { requestCert: true, rejectUnauthorized: wantsClient === true, ca: readFileSync(at('ca.crt')) }
    : {}
  const server = createServer({ ...files, ...client }, answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    host: `127.0.0.1:${port}`,
    port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const manifest = JSON.stringify({ schemaVersion: 2, config: {}, layers: [] })

/** Makes the directory of one registry below certs.d, with copies of these files under these names. */
function certificates(host: string, files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(at('certs-'))
  mkdirSync(join(root, host))
  for (const [name, from] of Object.entries(files)) execFileSync('cp', [at(from), join(root, host, name)])
  return root
}

async function fetchManifest(registry: string, options: Parameters<typeof openRepository>[1]) {
  const repository = openRepository([{ registry, repository: 'r', isInsecure: false }], {
    wait: async () => {},
    ...options,
  })
  try {
    return (await repository.fetchManifest('t')).content.toString()
  } finally {
    await repository.close()
  }
}

test('a registry with a private authority is refused, and trusted once certs.d has the certificate of the authority', async () => {
  await using server = await startTls((_, response) => response.end(manifest))
  // 127.0.0.1 may speak plain http: only another name shows whether TLS is verified.
  const proxy = await startTunnel(server.port)
  const host = `registry.test:${server.port}`
  const https = { variable: 'HTTPS_PROXY', value: `http://127.0.0.1:${proxy.port}` }
  const viaTunnel = { http: undefined, https, except: '' }
  try {
    await expect(fetchManifest(host, { proxy: viaTunnel })).rejects.toMatchObject({
      code: 'ERR_NETWORK',
      hint: expect.stringContaining('certs.d'),
    })
    const root = certificates(host, { 'ca.crt': 'ca.crt' })
    expect(await fetchManifest(host, { proxy: viaTunnel, certificateRoots: [root] })).toBe(manifest)
    expect(proxy.asked).toContain(`CONNECT ${host}`)
    const direct = { ...viaTunnel, except: 'other.example,registry.test' }
    await expect(fetchManifest(host, { proxy: direct, certificateRoots: [root] })).rejects.toMatchObject({
      code: 'ERR_NETWORK',
    })
  } finally {
    proxy.close()
  }
})

test('a registry that requires a client certificate gets the one of certs.d', async () => {
  const names: string[] = []
  await using server = await startTls((request, response) => {
    names.push(String((request.socket as TLSSocket).getPeerCertificate().subject.CN))
    response.end(manifest)
  }, true)
  const files = { 'ca.crt': 'ca.crt', 'me.cert': 'client.crt', 'me.key': 'client.key' }
  const root = certificates(server.host, files)
  expect(await fetchManifest(server.host, { certificateRoots: [root] })).toBe(manifest)
  expect(new Set(names)).toEqual(new Set(['client']))
  await expect(fetchManifest(server.host, {})).rejects.toMatchObject({ code: 'ERR_NETWORK' })
})

test("a layer's publisher does not get the client certificate that certs.d has for its host", async () => {
  const layer = Buffer.from('layer')
  const shown: boolean[] = []
  await using publisher = await startTls((request, response) => {
    shown.push(Object.keys((request.socket as TLSSocket).getPeerCertificate()).length > 0)
    response.end(layer)
  }, 'if there is one')
  const files = { 'ca.crt': 'ca.crt', 'me.cert': 'client.crt', 'me.key': 'client.key' }
  const root = certificates(publisher.host, files)
  await using registry = await startRegistry()
  const mediaType = 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip'
  const blob = { mediaType, digest: sha256(layer), size: layer.length, urls: [`https://${publisher.host}/layer`] }
  const repository = openRepository([{ registry: registry.host, repository: 'r', isInsecure: false }], {
    certificateRoots: [root],
    foreignLayers: { isInsecure: false },
  })
  try {
    expect(await repository.fetchBlob(blob).next()).toMatchObject({ value: layer })
  } finally {
    await repository.close()
  }
  await fetchManifest(publisher.host, { certificateRoots: [root] })
  expect([shown[0], shown.at(-1)]).toEqual([false, true])
})

test('a certificate without its key is an error that names the file', async () => {
  const root = certificates('127.0.0.1:1', { 'me.cert': 'client.crt' })
  await expect(fetchManifest('127.0.0.1:1', { certificateRoots: [root] })).rejects.toMatchObject({
    code: 'ERR_CONFIG_INVALID',
    message: expect.stringContaining('there is no me.key beside it'),
  })
})

/** An HTTP proxy that tunnels everything to one port of this host. */
async function startTunnel(port: number) {
  const asked: string[] = []
  const server = createTcpServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', (head) => {
      asked.push(/^CONNECT \S+/.exec(head.toString())?.[0] ?? '')
      const upstream = connectSocket(port, '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n')
        socket.pipe(upstream).pipe(socket)
      })
      upstream.on('error', () => socket.destroy())
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { port: (server.address() as AddressInfo).port, asked, close: () => server.close() }
}
