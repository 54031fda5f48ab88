import { join } from 'node:path'
import { OciError } from '../errors.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { attempts } from './attempts.ts'
import { type BlobAnswer, getBlobFrom } from './blob-range.ts'
import { readCertificates } from './certificates.ts'
import type { ConnectionOptions } from './connection-options.ts'
import { createHttpClient, type HttpClient, type HttpResponse, parseUrl } from './http.ts'
import { isLoopback, isPrivateAddress } from './private-address.ts'
import { redactUrl } from './redact.ts'
import type { Endpoint } from './registries-conf.ts'
import { statusError } from './status-error.ts'

/**
 * The publishers of layers whose licence bars them from registries. The manifest's author chooses their URLs, so no
 * credentials are sent there.
 */
export interface Publishers {
  /**
   * GETs a layer from byte `start` on, from the first of its `urls` that answers, without credentials of any kind.
   *
   * @throws OciError every URL failed or was refused: plain http, or an address of a private network that the registry
   *   is not in itself
   */
  get(layer: Descriptor, start: number): Promise<BlobAnswer>
  close(): Promise<void>
}

/**
 * Opens the publishers of foreign layers.
 * @param endpoints the endpoints of the registry that the manifest comes from
 */
export function openPublishers(
  endpoints: readonly Endpoint[],
  { foreignLayers, ...options }: ConnectionOptions,
): Publishers {
  const { signal, log } = options
  const { repeat } = attempts(options)
  const isPrivate = endpoints.every(({ registry }) => isPrivateAddress(new URL(`http://${registry}`).hostname))
  const clients = new Map<string, Promise<HttpClient>>()

  /** A client that trusts the host's authorities in certs.d, and uses no client certificate. */
  async function createClient({ host, hostname }: URL): Promise<HttpClient> {
    const { ca } = await readCertificates(options.certificateRoots?.map((root) => join(root, host)) ?? [])
    return createHttpClient({
      isInsecure: foreignLayers?.isInsecure === true || isLoopback(hostname),
      certificates: ca === undefined ? {} : { ca },
      proxy: options.proxy,
      stallTimeoutMs: options.stallTimeoutMs,
    })
  }

  async function get(text: string, headers: Readonly<Record<string, string>>): Promise<HttpResponse> {
    const url = checkAddress(text, { isPrivate, isInsecure: foreignLayers?.isInsecure === true })
    const client = clients.get(url.host) ?? createClient(url)
    clients.set(url.host, client)
    const http = await client
    return repeat(async () => {
      const response = await http.send(url, { headers, signal })
      if (response.status >= 200 && response.status < 300) return response
      throw await statusError(response, { method: 'GET' })
    })
  }

  return {
    async get(blob, start) {
      const { digest, urls = [] } = blob
      const failures: OciError[] = []
      for (const url of urls) {
        try {
          return await getBlobFrom((headers) => get(url, headers), { blob, start, log })
        } catch (error) {
          if (signal?.aborted || !(error instanceof OciError)) throw error
          failures.push(error)
          log?.(error.message)
        }
      }
      const reasons = failures.map(({ message }) => `\n  ${message}`).join('')
      const { code = 'ERR_IMAGE_NOT_FOUND', hint } = failures.at(-1) ?? {}
      const where =
        urls.length === 0 ? ', and the manifest names no other place' : `, nor at its other places${reasons}`
      throw new OciError(code, `layer ${digest} is not at the registry${where}`, { hint, cause: failures.at(-1) })
    },
    async close() {
      for (const client of await Promise.allSettled(clients.values())) {
        if (client.status === 'fulfilled') await client.value.close()
      }
    },
  }
}

/** The URL of a layer, if requests to it are allowed. @throws OciError `ERR_REGISTRY` */
function checkAddress(
  text: string,
  { isPrivate, isInsecure }: { readonly isPrivate: boolean; readonly isInsecure: boolean },
): URL {
  const url = parseUrl(text)
  if (url === undefined)
    throw new OciError('ERR_REGISTRY', 'the manifest names something that is not a URL as the place of a layer')
  const refuse = (why: string, hint?: string) =>
    new OciError('ERR_REGISTRY', `${redactUrl(url)} ${why}; refused`, { hint })
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw refuse('is not http')
  if (url.protocol === 'http:' && !isInsecure && !isLoopback(url.hostname)) {
    throw refuse('is not https', 'allow it with --insecure: the digest is checked all the same')
  }
  if (isPrivateAddress(url.hostname) && !isPrivate) {
    throw refuse('is an address of the private network, which the registry is not in')
  }
  return url
}
