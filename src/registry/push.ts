import { createHash } from 'node:crypto'
import { OciError } from '../errors.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { type Digest, digestOf } from '../oci/digest.ts'
import { ociIndexType } from '../oci/media-types.ts'
import { type Connection, connect } from './connection.ts'
import type { ConnectionOptions } from './connection-options.ts'
import { checkHop, discard, type HttpResponse, parseUrl } from './http.ts'
import { redactUrl } from './redact.ts'
import { fetchReferrers, referrersTag } from './referrers.ts'
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
  /**
   * Uploads a manifest that refers to `subject`, and adds it to the subject's list where the registry keeps none itself.
   * @see distribution-spec v1.1.1 "Pushing Manifests with Subject"
   */
  pushReferrer(subject: Digest, manifest: Descriptor, content: Uint8Array): Promise<void>
  close(): Promise<void>
}

/** Opens a repository for writing. @see distribution-spec v1.1.1 "Push" */
export function openPushRepository(endpoint: Endpoint, options: ConnectionOptions): PushRepository {
  const connection = connect(endpoint, { ...options, actions: 'pull,push' })

  async function putManifest(
    version: string | Digest,
    { mediaType, digest }: Descriptor,
    content: Uint8Array,
  ): Promise<HttpResponse> {
    const response = await connection.send({
      method: 'PUT',
      path: `manifests/${version}`,
      headers: { 'content-type': mediaType },
      body: () => content,
    })
    await discard(response)
    const kept = response.header('docker-content-digest')
    if (kept === undefined || kept === digest) return response
    throw new OciError('ERR_DIGEST_MISMATCH', `${redactUrl(response.url)} stored ${kept}, but was sent ${digest}`)
  }

  async function addToList(subject: Digest, manifest: Descriptor): Promise<void> {
    const known = await fetchReferrers(connection, subject, options.signal)
    if (known.some(({ digest }) => digest === manifest.digest)) return
    const index = { schemaVersion: 2, mediaType: ociIndexType, manifests: [...known, manifest] }
    const content = Buffer.from(JSON.stringify(index))
    const digest = digestOf('sha256', createHash('sha256').update(content).digest('hex'))
    await putManifest(referrersTag(subject), { mediaType: ociIndexType, digest, size: content.length }, content)
  }

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
    async pushManifest(version, manifest, content) {
      await putManifest(version, manifest, content)
    },
    async pushReferrer(subject, manifest, content) {
      const response = await putManifest(manifest.digest, manifest, content)
      if (response.header('oci-subject') === undefined) await addToList(subject, manifest)
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
