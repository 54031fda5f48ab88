import { OciError } from '../errors.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import { maxManifestBytes } from '../oci/limits.ts'
import { parseManifest } from '../oci/manifest.ts'
import { ociIndexType } from '../oci/media-types.ts'
import type { Connection } from './connection.ts'
import { type HttpResponse, readBody } from './http.ts'
import { nextPage } from './link.ts'
import { redactUrl } from './redact.ts'
import { statusOf } from './status-error.ts'

const maxPages = 100

/** The tag under which registries without a list of referrers keep one: an index that clients maintain. */
export const referrersTag = (subject: Digest): string => subject.replace(':', '-').slice(0, 128)

/**
 * The manifests that refer to another one as their subject, as signatures and SBOMs do; none where there is no such manifest.
 *
 * @throws OciError `ERR_MANIFEST_INVALID`, `ERR_LIMIT_EXCEEDED`, `ERR_REGISTRY`; and as `Connection.get`
 * @see distribution-spec v1.1.1 "Listing Referrers", "Unavailable Referrers API"
 */
export async function fetchReferrers(
  connection: Connection,
  subject: Digest,
  signal: AbortSignal | undefined,
): Promise<readonly Descriptor[]> {
  const accept = { accept: ociIndexType }
  let response = await getIfAny(() => connection.get(`referrers/${subject}`, accept))
  if (response === undefined) {
    const kept = await getIfAny(() => connection.get(`manifests/${referrersTag(subject)}`, accept))
    return kept === undefined ? [] : readIndex(kept, signal)
  }
  const found = new Map<Digest, Descriptor>()
  for (let page = 0; page < maxPages; page++) {
    for (const entry of await readIndex(response, signal)) found.set(entry.digest, entry)
    const next = nextPage(response)
    if (next === undefined) return [...found.values()]
    response = await connection.send({ path: next, headers: accept })
  }
  throw new OciError('ERR_LIMIT_EXCEEDED', `${redactUrl(response.url)} has more than ${maxPages} pages of referrers`)
}

async function readIndex(response: HttpResponse, signal: AbortSignal | undefined): Promise<readonly Descriptor[]> {
  const content = await readBody(response, maxManifestBytes, signal)
  const what = `the list of referrers ${redactUrl(response.url)}`
  const index = parseManifest(content, { what, mediaType: response.header('content-type'), isIndex: true })
  if (index.kind === 'index') return index.manifests
  throw new OciError('ERR_MANIFEST_INVALID', `${what} is not an index`)
}

/** The answer to a request, or undefined when the registry has no such thing, or does not know the request. */
async function getIfAny(get: () => Promise<HttpResponse>): Promise<HttpResponse | undefined> {
  try {
    return await get()
  } catch (error) {
    if ([404, 405].includes(statusOf(error) ?? 0)) return undefined
    throw error
  }
}
