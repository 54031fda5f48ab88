import { OciError } from '../errors.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { decodedBody, type HttpResponse } from './http.ts'
import { redactText, redactUrl } from './redact.ts'
import { statusOf } from './status-error.ts'

/** A response with the rest of a blob, or with the whole blob. */
export interface BlobAnswer {
  readonly response: HttpResponse
  /** Bytes to skip at the beginning of the body. */
  readonly skip: number
}

/** GETs a blob with these headers. @returns a 2xx answer */
export type GetBlob = (headers: Readonly<Record<string, string>>) => Promise<HttpResponse>

/**
 * GETs a blob from byte `start` on.
 *
 * A server without range support sends the whole blob. A server that answers a range with 416 or with another range is
 * asked for the whole blob as well: it would answer the same each time, and the download would never complete.
 * @throws OciError `ERR_REGISTRY` the answer to a request without a range is only a part of the blob; and as `get`
 */
export async function getBlobFrom(get: GetBlob, wanted: WantedBlob): Promise<BlobAnswer> {
  const { blob, start } = wanted
  const rest = start === 0 ? undefined : await getRange(get, wanted)
  if (rest?.status === 206) return { response: rest, skip: 0 }
  const response = rest ?? (await get({}))
  if (response.status !== 206 || isRestOf(blob, 0, response)) return { response, skip: start }
  response.drop()
  const what = `${redactUrl(response.url)} sends ${rangeOf(response)} where all ${blob.size} bytes were requested`
  throw new OciError('ERR_REGISTRY', what)
}

interface WantedBlob {
  readonly blob: Descriptor
  readonly start: number
  /** Called when a server does not continue from `start`. */
  readonly log: ((message: string) => void) | undefined
}

/**
 * GETs a blob from byte `start` on by a range request.
 * @returns undefined when the download cannot continue with the answer
 */
async function getRange(get: GetBlob, { blob, start, log }: WantedBlob): Promise<HttpResponse | undefined> {
  try {
    const response = await get({ range: `bytes=${start}-` })
    if (response.status !== 206 || isRestOf(blob, start, response)) return response
    response.drop()
    log?.(
      `${redactUrl(response.url)} sends ${rangeOf(response)} where ${start}- was requested; the blob is fetched from its beginning`,
    )
  } catch (error) {
    if (!(error instanceof OciError) || statusOf(error) !== 416) throw error
    log?.(`${error.message}; the blob is fetched from its beginning`)
  }
  return undefined
}

/** @see RFC 9110 "Content-Range" */
function isRestOf({ size }: Descriptor, start: number, response: HttpResponse): boolean {
  const [, first, last, total] = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(rangeOf(response)) ?? []
  return Number(first) === start && Number(last) === size - 1 && (total === '*' || Number(total) === size)
}

const rangeOf = (response: HttpResponse): string => redactText(response.header('content-range') ?? 'no range')

/**
 * The bytes of an answer, without a content coding that was not asked for. A blob that is compressed itself is labelled
 * as such a coding by some stores of objects: a body of the blob's own size, or a part of it, is the blob.
 */
export function blobBytes({ response }: BlobAnswer, { size }: Descriptor): AsyncIterable<Uint8Array> {
  const isBlob = response.status === 206 || response.header('content-length') === String(size)
  return isBlob ? response.body : decodedBody(response)
}

/** Refuses a response whose Content-Length is too small for the blob, before a byte of it is kept for later runs. */
export function checkLength({ response, skip }: BlobAnswer, { size }: Descriptor, start: number): void {
  const announced = response.header('content-encoding') === undefined ? response.header('content-length') : undefined
  const wanted = size - start + skip
  if (announced === undefined || Number(announced) >= wanted) return
  response.drop()
  const what = `${redactUrl(response.url)} announces ${announced} bytes where ${wanted} are described`
  throw new OciError('ERR_NETWORK', what, { hint: 'a cache or a proxy on the way may be broken; pull from elsewhere' })
}
