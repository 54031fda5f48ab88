import { pipeline, Readable, type Transform } from 'node:stream'
import * as zlib from 'node:zlib'
import { OciError } from '../errors.ts'

/** A body as it was received, with the values of its header Content-Encoding. */
export interface EncodedBody {
  readonly body: AsyncIterable<Uint8Array>
  readonly encodings: readonly string[]
  /** The URL it comes from, redacted for messages. */
  readonly from: string
}

/** More than one coding is legal and of no use; each takes memory. */
const maxCodings = 2

const decoders: Readonly<Record<string, () => Transform>> = {
  gzip: zlib.createGunzip,
  'x-gzip': zlib.createGunzip,
  deflate: zlib.createInflate,
  br: zlib.createBrotliDecompress,
}

/**
 * Decodes a body. Requests ask for no coding, and some registries and proxies apply one all the same. The caller limits the
 * number of bytes that it reads.
 *
 * @throws OciError `ERR_NOT_SUPPORTED` a coding is unknown; `ERR_REGISTRY`, while reading, the data are damaged
 * @see RFC 9110 "Content-Encoding"
 */
export function decoded({ body, encodings, from }: EncodedBody): AsyncIterable<Uint8Array> {
  const codings = encodings
    .flatMap((value) => value.split(','))
    .map((coding) => coding.trim().toLowerCase())
    .filter((coding) => coding !== '' && coding !== 'identity')
  if (codings.length > maxCodings) {
    throw new OciError('ERR_NOT_SUPPORTED', `${from} sends a body with ${codings.length} content codings`)
  }
  return codings.reduceRight((inner, coding) => decode(inner, coding, from), body)
}

function decode(body: AsyncIterable<Uint8Array>, coding: string, from: string): AsyncIterable<Uint8Array> {
  const create = Object.hasOwn(decoders, coding) ? decoders[coding] : undefined
  if (create !== undefined)
    return readDecoder(
      pipeline(Readable.from(body), create(), () => {}),
      coding,
      from,
    )
  throw new OciError('ERR_NOT_SUPPORTED', `${from} sends a body with the content coding "${coding.slice(0, 40)}"`, {
    hint: 'the registry or a proxy ignores "Accept-Encoding: identity"; have it send bodies as they are',
  })
}

async function* readDecoder(decoder: Transform, coding: string, from: string): AsyncGenerator<Uint8Array> {
  try {
    yield* decoder
  } catch (cause) {
    if (!isDecodingError(cause)) throw cause
    throw new OciError('ERR_REGISTRY', `${from} sends damaged data in the coding ${coding}: ${cause.message}`, {
      cause,
    })
  }
}

/** True for an error of zlib or Brotli; another one is of the connection. */
const isDecodingError = (error: unknown): error is Error =>
  error instanceof Error && 'code' in error && /^(?:Z_|ERR__ERROR_)/.test(String(error.code))
