import { OciError } from '../errors.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import { type Connection, connect } from './connection.ts'
import type { ConnectionOptions } from './connection-options.ts'
import { checkHop, discard, type HttpResponse, parseUrl } from './http.ts'
import { redactUrl } from './redact.ts'
import type { Endpoint } from './registries-conf.ts'

/** A repository that is written to. */
export interface PushRepository {
  has(blob: Descriptor): Promise<boolean>
  /**
   * Uploads a blob in one request, again from its beginning after a transient failure.
   * @param open returns the bytes from the beginning each time
   */
  pushBlob(blob: Descriptor, open: () => AsyncIterable<Uint8Array>): Promise<void>
  /** Uploads a manifest or index, all of whose blobs the registry has. @throws OciError `ERR_DIGEST_MISMATCH` */
  pushManifest(version: string | Digest, manifest: Descriptor, content: Uint8Array): Promise<void>
  close(): Promise<void>
}

/** Opens a repository for writing. @see distribution-spec v1.1.1 "Push" */
export function openPushRepository(endpoint: Endpoint, options: ConnectionOptions): PushRepository {
  const connection = connect(endpoint, { ...options, actions: 'pull,push' })
  return {
    has: (blob) => has(connection, blob),
    async pushBlob(blob, open) {
      for (let count = 1; ; count++) {
        try {
          return await upload(connection, blob, open)
        } catch (error) {
          await connection.retryAfter(error, count)
        }
      }
    },
    async pushManifest(version, { mediaType, digest }, content) {
      const response = await connection.send({
        method: 'PUT',
        path: `manifests/${version}`,
        headers: { 'content-type': mediaType },
        body: () => content,
      })
      await discard(response)
      const kept = response.header('docker-content-digest')
      if (kept === undefined || kept === digest) return
      throw new OciError('ERR_DIGEST_MISMATCH', `${redactUrl(response.url)} stored ${kept}, but was sent ${digest}`)
    },
    close: () => connection.close(),
  }
}

async function has(connection: Connection, { digest }: Descriptor): Promise<boolean> {
  try {
    await discard(await connection.send({ method: 'HEAD', path: `blobs/${digest}` }))
    return true
  } catch (error) {
    if (error instanceof OciError && error.code === 'ERR_IMAGE_NOT_FOUND') return false
    throw error
  }
}

async function upload(connection: Connection, blob: Descriptor, open: () => AsyncIterable<Uint8Array>): Promise<void> {
  const begun = await connection.send({ method: 'POST', path: 'blobs/uploads/', body: () => '' })
  await discard(begun)
  const place = uploadPlace(begun)
  place.searchParams.set('digest', blob.digest)
  const headers = { 'content-type': 'application/octet-stream', 'content-length': String(blob.size) }
  const done = await connection.sendOnce({ method: 'PUT', path: place, headers, body: open })
  await discard(done)
}

function uploadPlace(response: HttpResponse): URL {
  const location = parseUrl(response.header('location') ?? '', response.url)
  if (response.header('location') === undefined || location === undefined) {
    throw new OciError('ERR_REGISTRY', `${redactUrl(response.url)} answers without an upload location`)
  }
  checkHop(response.url, location, 'wants uploads at')
  return location
}
