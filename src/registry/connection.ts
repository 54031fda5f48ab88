import { join } from 'node:path'
import { OciError } from '../errors.ts'
import { attempts } from './attempts.ts'
import { answerChallenge } from './authorize.ts'
import { readCertificates } from './certificates.ts'
import type { ConnectionOptions } from './connection-options.ts'
import type { Credentials } from './credential-provider.ts'
import { createHttpClient, discard, type HttpClient, type HttpRequest, type HttpResponse } from './http.ts'
import { isLoopback } from './private-address.ts'
import { describeCredentials, refusedCredentials } from './refused-credentials.ts'
import type { Endpoint } from './registries-conf.ts'
import { statusError } from './status-error.ts'

/** One request to a registry. */
export interface RegistryRequest {
  readonly method?: HttpRequest['method']
  /** A path below `/v2/<repository>/`, or a URL that the registry named; one on another host gets no authorization. */
  readonly path: string | URL
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Creates the body, anew for each attempt. */
  readonly body?: (() => string | Uint8Array | AsyncIterable<Uint8Array>) | undefined
}

/** A connection to one registry for one repository, with the authorization that the registry requires. */
export interface Connection {
  readonly endpoint: Endpoint
  /**
   * GETs `path` below `/v2/<repository>/`, again after transient failures.
   *
   * @returns a 2xx answer, its body unread
   * @throws OciError `ERR_IMAGE_NOT_FOUND` 404; `ERR_REGISTRY_AUTH` 401, 403; `ERR_REGISTRY`; `ERR_NETWORK`
   */
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<HttpResponse>
  /** Sends any request, otherwise as `get`. */
  send(request: RegistryRequest): Promise<HttpResponse>
  /** Sends a request as `send` does, in a single attempt. */
  sendOnce(request: RegistryRequest): Promise<HttpResponse>
  /** Waits before one more attempt; throws `error` when it is not transient or there have been too many attempts. */
  retryAfter(error: unknown, attempt: number): Promise<void>
  close(): Promise<void>
}

/**
 * A connection to an endpoint, opened when it is first used. Endpoints on this host may use plain http, as insecure
 * ones may.
 */
export function connect(endpoint: Endpoint, options: ConnectionOptions): Connection {
  const { signal } = options
  const { retryAfter, repeat } = attempts(options)
  const isInsecure = endpoint.isInsecure || isLoopback(new URL(`http://${endpoint.registry}`).hostname)
  let opened: Promise<{ readonly http: HttpClient; readonly base: URL }> | undefined
  let authorization: string | undefined
  let used: Credentials | undefined

  async function open() {
    const directories = options.certificateRoots?.map((root) => join(root, endpoint.registry)) ?? []
    const certificates = await readCertificates(directories)
    const http = createHttpClient({
      isInsecure,
      certificates,
      proxy: options.proxy,
      stallTimeoutMs: options.stallTimeoutMs,
    })
    clients.push(http)
    return { http, base: await findBase(http, endpoint, { isInsecure, signal }) }
  }

  const clients: HttpClient[] = []

  async function attempt({ method = 'GET', path, headers = {}, body }: RegistryRequest): Promise<HttpResponse> {
    opened ??= open()
    const { http, base } = await opened
    const url = path instanceof URL ? path : new URL(path === '' ? base : `${base.href}${endpoint.repository}/${path}`)
    const isOwn = url.origin === base.origin
    const once = (authorized: string | undefined) =>
      http.send(url, { method, headers, body: body?.(), authorization: isOwn ? authorized : undefined, signal })
    const isChallenge = ({ status, url }: HttpResponse): boolean => status === 401 && url.origin === base.origin
    const earlier = authorization
    let response = await once(earlier)
    if (!isChallenge(response)) return response
    await discard(response)
    // Another request may have fetched a token meanwhile, though perhaps for a smaller scope.
    if (authorization !== earlier) {
      response = await once(authorization)
      if (!isChallenge(response)) return response
      await discard(response)
    }
    const { registry, repository } = endpoint
    used = await options.credentials?.(registry, repository)
    const own = await answerChallenge(response, {
      http,
      registry,
      scope: path === '' ? undefined : `repository:${repository}:${options.actions ?? 'pull'}`,
      credentials: used,
      signal,
    })
    authorization = own
    return once(own)
  }

  async function sendOnce(request: RegistryRequest): Promise<HttpResponse> {
    const response = await attempt(request)
    const { status } = response
    if (status >= 200 && status < 300) return response
    const hint = hintFor(status, endpoint, used)
    const error = await statusError(response, { method: request.method ?? 'GET', hint })
    // With Basic, the user name and the password themselves were refused; a token may only have too small a scope.
    if (status !== 401 || used === undefined || authorization?.startsWith('Basic ') !== true) throw error
    throw refusedCredentials(endpoint.registry, used, error.message)
  }

  const send = (request: RegistryRequest) => repeat(() => sendOnce(request))

  return {
    endpoint,
    retryAfter,
    send,
    sendOnce,
    get: (path, headers) => send({ path, headers }),
    async close() {
      await Promise.all(clients.map((client) => client.close()))
    },
  }
}

const hintFor = (
  status: number,
  { registry, repository }: Endpoint,
  used: Credentials | undefined,
): string | undefined => {
  if (status === 404) return `check the name and the tag; ${registry} has no such image`
  if ((status === 401 || status === 403) && repository === '') return 'check the user name and the password'
  if ((status === 401 || status === 403) && used !== undefined) {
    return `check that ${repository} exists, and that ${describeCredentials(used)} allow access to it`
  }
  if (status === 401 || status === 403) {
    return `check that ${repository} exists and that you may read it, or run "bundle-tool login ${registry}"`
  }
  return status === 429 ? 'wait, or log in: the registry limits the number of requests' : undefined
}

/** The base URL of the API: https, or plain http where that is allowed and there is no TLS. */
async function findBase(
  http: HttpClient,
  { registry }: Endpoint,
  { isInsecure, signal }: { readonly isInsecure: boolean; readonly signal: AbortSignal | undefined },
): Promise<URL> {
  const host = registry === 'docker.io' ? 'registry-1.docker.io' : registry
  const [secure, plain] = [new URL(`https://${host}/v2/`), new URL(`http://${host}/v2/`)]
  if (!isInsecure) return secure
  try {
    await discard(await http.send(secure, { signal }))
    return secure
  } catch (error) {
    if (signal?.aborted || !(error instanceof OciError) || error.code !== 'ERR_NETWORK') throw error
    return plain
  }
}
