import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ConnectionOptions } from '../../src/registry/connection-options.ts'
import { openRepository, type Repository } from '../../src/registry/repository.ts'
import type { FakeRegistry, Fault } from './fake-registry.ts'

export const manifest = { schemaVersion: 2, config: {}, layers: [] }
export const noWait = async () => {}

export async function collect(content: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks = []
  for await (const chunk of content) chunks.push(chunk)
  return Buffer.concat(chunks)
}

export const at = (registry: FakeRegistry, repository = 'r') => ({
  registry: registry.host,
  repository,
  isInsecure: false,
})

export async function withRepository<T>(
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
export function first(
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

export const cutAfter = (content: Uint8Array, bytes: number) => (_: IncomingMessage, response: ServerResponse) => {
  response.writeHead(200, { 'content-length': content.byteLength })
  response.write(content.subarray(0, bytes), () => response.destroy())
}
