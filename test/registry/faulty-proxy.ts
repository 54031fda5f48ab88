import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** One answer of the registry, before it is passed on. */
export interface Passage {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
  /** Number of requests for this path so far, including this one. */
  readonly time: number
}

/** Changes an answer and sends it, or leaves it unchanged (undefined). */
export type Spoil = (passage: Passage) => true | undefined

/** A reverse proxy in front of `registry` that changes what it passes on. */
export async function startFaultyProxy(registry: string, spoil: Spoil) {
  const times = new Map<string, number>()
  const paths: string[] = []
  const server = createServer((request, response) => {
    const path = request.url ?? ''
    paths.push(path)
    times.set(path, (times.get(path) ?? 0) + 1)
    const { host: _, ...headers } = request.headers
    const upstream = httpRequest(
      `http://${registry}${path}`,
      { method: request.method ?? 'GET', headers },
      (answer) => {
        const chunks: Buffer[] = []
        answer.on('data', (chunk) => chunks.push(chunk))
        answer.on('end', () => {
          const body = Buffer.concat(chunks)
          const { statusCode: status = 500, headers } = answer
          if (spoil({ request, response, status, headers, body, time: times.get(path) ?? 1 })) return
          response.writeHead(status, headers).end(body)
        })
      },
    )
    upstream.on('error', () => response.destroy())
    request.pipe(upstream)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    paths,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
