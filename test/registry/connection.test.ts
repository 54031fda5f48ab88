import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { connect } from '../../src/registry/connection.ts'

/** `Promise.withResolvers`, which Node.js has from 22 on. */
function withResolvers(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => undefined
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}

/** A registry that accepts a request only with a token for its action: a HEAD for `pull`, a POST for `push`. */
const server = createServer((request, response) => {
  const url = new URL(request.url ?? '', 'http://x')
  if (url.pathname === '/v2/') response.end('{}')
  else if (url.pathname === '/token') giveToken(url, response)
  else void decide(request, response)
})
let host = ''
let tokens: string[] = []
const held = withResolvers()
const heldIsUsed = withResolvers()

beforeEach(async () => {
  tokens = []
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterEach(() => {
  server.closeAllConnections()
  server.close()
})

/** The second one has to wait. */
function giveToken(url: URL, response: ServerResponse): void {
  const token = `${tokens.length}-${url.searchParams.get('scope')?.split(':')[2]}`
  tokens.push(token)
  const give = () => response.end(JSON.stringify({ token }))
  if (tokens.length === 2) void held.promise.then(give)
  else give()
}

async function decide({ method, headers }: IncomingMessage, response: ServerResponse): Promise<void> {
  const token = headers.authorization?.replace('Bearer ', '') ?? ''
  const isAllowed = token.includes(method === 'POST' ? 'push' : 'pull')
  if (token === tokens[1]) heldIsUsed.resolve()
  if (isAllowed) return void response.writeHead(method === 'POST' ? 202 : 200).end()
  if (method === 'POST' && token === tokens[0]) {
    held.resolve()
    await heldIsUsed.promise
  }
  const scope = `repository:r:${method === 'POST' ? 'pull,push' : 'pull'}`
  const challenge = `Bearer realm="http://${host}/token",service="s",scope="${scope}"`
  response.writeHead(401, { 'www-authenticate': challenge }).end()
}

test('after a token with a smaller scope, fetched meanwhile by another request, the right one is tried', async () => {
  const connection = connect({ registry: host, repository: 'r', isInsecure: false }, { actions: 'pull,push' })
  const heads = ['one', 'two'].map((name) => connection.send({ method: 'HEAD', path: `blobs/${name}` }))
  await Promise.race(heads)
  const { status } = await connection.send({ method: 'POST', path: 'blobs/uploads/' })
  expect(status).toBe(202)
  await Promise.all(heads)
  expect(tokens).toEqual(['0-pull', '1-pull', '2-pull,push'])
  await connection.close()
})
