import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Descriptor } from '../../src/oci/descriptor.ts'
import { type Digest, parseDigest } from '../../src/oci/digest.ts'

/** A registry in this process, with faults as a test wants them. */
export interface FakeRegistry {
  /** `127.0.0.1:port` */
  readonly host: string
  /** Every request so far: method, path with query, and headers. */
  readonly requests: { method: string; path: string; headers: IncomingMessage['headers'] }[]
  /** Stores a blob and returns its descriptor. */
  addBlob(content: Uint8Array | string, mediaType?: string): Descriptor
  /** Stores a manifest under its digest and a tag, and returns its descriptor. */
  addManifest(repository: string, tag: string, value: unknown, mediaType?: string): Descriptor
  /** Paths of blobs that were requested. */
  blobRequests(): string[]
  [Symbol.asyncDispose](): Promise<void>
}

/** Answers a request itself, or leaves it to the registry (undefined). */
export type Fault = (request: IncomingMessage, response: ServerResponse) => true | undefined

export const sha256 = (content: Uint8Array | string): Digest =>
  parseDigest(`sha256:${createHash('sha256').update(content).digest('hex')}`)

const manifestType = 'application/vnd.oci.image.manifest.v1+json'

export async function startRegistry(fault: Fault = () => undefined): Promise<FakeRegistry> {
  const blobs = new Map<string, Uint8Array>()
  const manifests = new Map<string, { content: Uint8Array; mediaType: string; digest: Digest }>()
  const requests: FakeRegistry['requests'] = []
  const server = createServer((request, response) => {
    const path = request.url ?? ''
    requests.push({ method: request.method ?? '', path, headers: request.headers })
    if (fault(request, response)) return
    const [, repository = '', kind, version = ''] = /^\/v2\/(.+?)\/(manifests|blobs)\/([^/?]+)/.exec(path) ?? []
    if (request.method === 'POST' && version === 'uploads') {
      response.writeHead(202, { location: `/v2/${repository}/blobs/uploads/${requests.length}?state=a` })
      return void response.end()
    }
    if (request.method === 'PUT') return void receive(request, response, { repository, kind, version })
    if (path.includes('/tags/list')) return sendTags(path, response)
    if (kind === 'blobs') return sendBlob(request, response, blobs.get(version))
    const manifest = manifests.get(`${repository}/${version}`)
    if (request.method === 'DELETE' && manifest !== undefined) {
      const isOfIt = (key: string) => key.startsWith(`${repository}/`) && manifests.get(key)?.digest === manifest.digest
      const gone = version.includes(':') ? [...manifests.keys()].filter(isOfIt) : [`${repository}/${version}`]
      for (const key of gone) manifests.delete(key)
      return void response.writeHead(202).end()
    }
    if (path === '/v2/') return void response.end('{}')
    if (manifest === undefined) return sendError(response, 404, 'MANIFEST_UNKNOWN')
    response.setHeader('content-type', manifest.mediaType)
    if (!response.hasHeader('docker-content-digest')) response.setHeader('docker-content-digest', manifest.digest)
    response.end(manifest.content)
  })

  /** Stores an upload whose content matches its digest. */
  async function receive(
    request: IncomingMessage,
    response: ServerResponse,
    { repository, kind, version }: { repository: string; kind: string | undefined; version: string },
  ): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const content = Buffer.concat(chunks)
    const digest = sha256(content)
    if (kind === 'blobs') {
      if (new URL(request.url ?? '', 'http://x').searchParams.get('digest') !== digest) {
        return void sendError(response, 400, 'DIGEST_INVALID')
      }
      blobs.set(digest, content)
    } else {
      const { config, layers = [], manifests: children = [] } = JSON.parse(content.toString())
      const isThere = ({ digest: name }: { digest: string }) =>
        blobs.has(name) || manifests.has(`${repository}/${name}`)
      const parts = [...(config === undefined ? [] : [config]), ...layers, ...children]
      if (!parts.every(isThere)) return void sendError(response, 400, 'MANIFEST_BLOB_UNKNOWN')
      const mediaType = request.headers['content-type'] ?? ''
      for (const name of [version, digest]) manifests.set(`${repository}/${name}`, { content, mediaType, digest })
      response.setHeader('docker-content-digest', digest)
    }
    response.writeHead(201)
    response.end()
  }

  /** Lists tags, two per page. */
  function sendTags(path: string, response: ServerResponse): void {
    const [, repository = ''] = /^\/v2\/(.+)\/tags\/list/.exec(path.replace(/\?.*/, '')) ?? []
    const last = new URL(path, 'http://x').searchParams.get('last') ?? ''
    const names = [...manifests.keys()].filter((key) => key.startsWith(`${repository}/`) && !key.includes('sha256:'))
    const tags = names.map((key) => key.slice(repository.length + 1)).sort()
    if (tags.length === 0) return void sendError(response, 404, 'NAME_UNKNOWN')
    const page = tags.filter((tag) => tag > last).slice(0, 2)
    if (page.at(-1) !== tags.at(-1)) {
      response.setHeader('link', `</v2/${repository}/tags/list?n=2&last=${page.at(-1)}>; rel="next"`)
    }
    response.end(JSON.stringify({ name: repository, tags: page }))
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    host: `127.0.0.1:${port}`,
    requests,
    addBlob(content, mediaType = 'application/octet-stream') {
      const bytes = Buffer.from(content)
      blobs.set(sha256(bytes), bytes)
      return { mediaType, digest: sha256(bytes), size: bytes.byteLength }
    },
    addManifest(repository, tag, value, mediaType = manifestType) {
      const content = Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))
      const digest = sha256(content)
      for (const version of [tag, digest]) manifests.set(`${repository}/${version}`, { content, mediaType, digest })
      return { mediaType, digest, size: content.byteLength }
    },
    blobRequests: () => requests.map(({ path }) => path).filter((path) => path.includes('/blobs/')),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

export function sendError(
  response: ServerResponse,
  status: number,
  code: string,
  headers: Record<string, string> = {},
): true {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(JSON.stringify({ errors: [{ code, message: `${code} it is` }] }))
  return true
}

function sendBlob(request: IncomingMessage, response: ServerResponse, content: Uint8Array | undefined): void {
  if (content === undefined) return void sendError(response, 404, 'BLOB_UNKNOWN')
  const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
  if (start > 0) {
    response.writeHead(206, {
      'content-range': `bytes ${start}-${content.byteLength - 1}/${content.byteLength}`,
      'content-length': content.byteLength - start,
    })
  } else response.setHeader('content-length', content.byteLength)
  response.end(content.subarray(start))
}
