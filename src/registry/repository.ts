import { createHash } from 'node:crypto'
import { OciError } from '../errors.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { type Digest, type DigestAlgorithm, digestAlgorithm, digestOf, isDigest } from '../oci/digest.ts'
import { maxManifestBytes } from '../oci/limits.ts'
import { acceptedManifestTypes, bareMediaType, isForeignLayer } from '../oci/media-types.ts'
import { attempts } from './attempts.ts'
import { type BlobAnswer, blobBytes, checkLength, getBlobFrom } from './blob-range.ts'
import { type Connection, connect } from './connection.ts'
import type { ConnectionOptions } from './connection-options.ts'
import { openPublishers } from './foreign-layers.ts'
import { type HttpResponse, networkError, parseUrl, readBody } from './http.ts'
import { redactUrl } from './redact.ts'
import { fetchReferrers } from './referrers.ts'
import type { Endpoint } from './registries-conf.ts'

/** A manifest or index as received, with the descriptor of its bytes. */
export interface FetchedManifest {
  readonly descriptor: Descriptor
  readonly content: Uint8Array
  /** The URL it came from, redacted for messages. */
  readonly from: string
}

/** One image repository, whose content comes from the first endpoint that has it. */
export interface Repository {
  /**
   * Fetches a manifest or index by tag or digest. The bytes are checked against the digest. Where those of a tag have another
   * digest than the registry states, that digest is fetched, and where there is none of it, the bytes' own digest counts.
   *
   * @throws OciError `ERR_DIGEST_MISMATCH`, `ERR_LIMIT_EXCEEDED` above 4 MiB, and as `Connection.get`
   */
  fetchManifest(version: string | Digest): Promise<FetchedManifest>
  /**
   * A blob's bytes from byte `from` on, unverified. A broken download continues where it broke (Range); after a failure
   * of one endpoint the next is tried. A foreign layer that no endpoint has comes from its publisher, where that is
   * allowed.
   */
  fetchBlob(blob: Descriptor, from?: number): AsyncGenerator<Uint8Array>
  /** The manifests that refer to another one. @throws OciError as `fetchReferrers` of the registry's API */
  fetchReferrers(subject: Digest): Promise<readonly Descriptor[]>
  /** Drops all connections. */
  close(): Promise<void>
}

/**
 * Bytes of progress after which the attempts are counted anew, so that a download that gets on is resumed without
 * limit.
 */
const progressBytes = 1024 * 1024

/**
 * Opens a repository for reading.
 * @param endpoints best first, at least one
 */
export function openRepository(endpoints: readonly Endpoint[], options: ConnectionOptions = {}): Repository {
  let connections = endpoints.map((endpoint) => connect(endpoint, options))
  const { signal, log } = options
  const { retryAfter } = attempts(options)
  const publishers = openPublishers(endpoints, options)

  /** Tries the endpoints in order; the one that succeeds is tried first from then on. */
  async function firstOf<T>(ask: (connection: Connection) => Promise<T>): Promise<T> {
    const failures: unknown[] = []
    for (const connection of connections) {
      try {
        const answer = await ask(connection)
        connections = [connection, ...connections.filter((other) => other !== connection)]
        return answer
      } catch (error) {
        if (signal?.aborted || !(error instanceof OciError)) throw error
        failures.push(error)
        log?.(error.message)
      }
    }
    throw joinFailures(failures, connections)
  }

  async function getBlob(blob: Descriptor, start: number): Promise<BlobAnswer> {
    try {
      return await firstOf((connection) =>
        getBlobFrom((headers) => connection.get(`blobs/${blob.digest}`, headers), { blob, start, log }),
      )
    } catch (error) {
      const isMissing = error instanceof OciError && error.code === 'ERR_IMAGE_NOT_FOUND'
      if (!isMissing || !isForeignLayer(blob)) throw error
      if (options.foreignLayers === undefined) throw withheld(error, blob)
      return publishers.get(blob, start)
    }
  }

  return {
    fetchManifest: (version) => firstOf((connection) => fetchManifest(connection, version, options)),
    fetchReferrers: (subject) => firstOf((connection) => fetchReferrers(connection, subject, signal)),
    async *fetchBlob(blob, from = 0) {
      let position = from
      let attempt = 0
      while (position < blob.size) {
        const start = position
        const answer = await getBlob(blob, start)
        try {
          checkLength(answer, blob, start)
          for await (const chunk of wantedBytes(answer, blob, signal)) {
            position += chunk.byteLength
            yield chunk
          }
          if (position < blob.size) throw shortBody(answer.response, blob, position)
        } catch (error) {
          attempt = position - start >= progressBytes ? 1 : attempt + 1
          await retryAfter(error, attempt)
        }
      }
    },
    async close() {
      await Promise.all([...connections, publishers].map((one) => one.close()))
    },
  }
}

async function fetchManifest(
  connection: Connection,
  version: string | Digest,
  { signal, warn }: Pick<ConnectionOptions, 'signal' | 'warn'>,
): Promise<FetchedManifest> {
  const { response, content } = await readManifest(connection, version, signal)
  const from = redactUrl(response.url)
  const stated = response.header('docker-content-digest') ?? ''
  const digest = isDigest(version) ? checkDigest(content, version, from) : trueDigest(content, stated)
  if (!isDigest(version) && isDigest(stated) && stated !== digest) {
    const other = await findManifest(connection, stated, { signal, warn })
    warn?.(`${from} is ${digest}, and not ${stated} as the registry says${other ? '; that is used' : ''}`)
    if (other !== undefined) return other
  }
  const mediaType = bareMediaType(response.header('content-type') ?? '')
  return { descriptor: { mediaType, digest, size: content.byteLength }, content, from }
}

/** Fetches a manifest that a registry names and may not have. */
async function findManifest(
  connection: Connection,
  digest: Digest,
  options: Pick<ConnectionOptions, 'signal' | 'warn'>,
): Promise<FetchedManifest | undefined> {
  try {
    return await fetchManifest(connection, digest, options)
  } catch (error) {
    if (error instanceof OciError && error.code === 'ERR_IMAGE_NOT_FOUND') return undefined
    throw error
  }
}

function checkDigest(content: Uint8Array, wanted: Digest, from: string): Digest {
  const digest = digestBy(digestAlgorithm(wanted), content)
  if (digest === wanted) return digest
  throw new OciError('ERR_DIGEST_MISMATCH', `${from} is ${digest}, not ${wanted}`, {
    hint: 'the registry or a proxy changes what it serves; pull from another one',
  })
}

/** The digest of the content: by the algorithm of the stated one where that is right, else by SHA-256. */
function trueDigest(content: Uint8Array, stated: string): Digest {
  const digest = isDigest(stated) ? digestBy(digestAlgorithm(stated), content) : undefined
  return digest === stated ? digest : digestBy('sha256', content)
}

const digestBy = (algorithm: DigestAlgorithm, content: Uint8Array): Digest =>
  digestOf(algorithm, createHash(algorithm).update(content).digest('hex'))

/** Fetches a manifest's bytes, and again when the connection breaks before their end. */
async function readManifest(connection: Connection, version: string, signal: AbortSignal | undefined) {
  for (let attempt = 1; ; attempt++) {
    const response = await connection.get(`manifests/${version}`, { accept: acceptedManifestTypes.join(', ') })
    try {
      return { response, content: await readBody(response, maxManifestBytes, signal) }
    } catch (error) {
      await connection.retryAfter(error, attempt)
    }
  }
}

async function* wantedBytes(
  answer: BlobAnswer,
  blob: Descriptor,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  let left = answer.skip
  try {
    for await (const chunk of blobBytes(answer, blob)) {
      const rest = left === 0 ? chunk : chunk.subarray(Math.min(left, chunk.byteLength))
      left -= chunk.byteLength - rest.byteLength
      if (rest.byteLength > 0) yield rest
    }
  } catch (cause) {
    throw networkError(answer.response.url, cause, { signal })
  }
}

function shortBody(response: HttpResponse, { size }: Descriptor, position: number): OciError {
  return new OciError('ERR_NETWORK', `${redactUrl(response.url)} ends after ${position} of ${size} bytes`)
}

/**
 * The error for a foreign layer that may not be fetched from the URLs in the manifest: their owner would learn who
 * pulls what.
 */
function withheld(cause: OciError, { digest, urls = [] }: Descriptor): OciError {
  const hosts = urls.flatMap((url) => parseUrl(url)?.host ?? [])
  const [where, hint] =
    hosts.length === 0
      ? ['its publisher', 'push the image with this layer to a registry of yours, from a tool that has the layer']
      : [[...new Set(hosts)].join(', '), 'fetch it from there with --foreign-layers, without credentials']
  return new OciError('ERR_NOT_SUPPORTED', `layer ${digest} is available from ${where} only, not from a registry`, {
    hint,
    cause,
  })
}

/** One error for all endpoints that failed: the code of the last, which is the registry itself, and every message. */
function joinFailures(failures: readonly unknown[], connections: readonly Connection[]): unknown {
  const last = failures.at(-1)
  if (failures.length < 2 || !(last instanceof OciError)) return last
  const lines = failures.map((error) => (error instanceof Error ? error.message : String(error)))
  return new OciError(last.code, `none of ${connections.length} endpoints has it\n  ${lines.join('\n  ')}`, {
    hint: last.hint,
    cause: last,
  })
}
