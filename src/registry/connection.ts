import { join } from 'node:path'
import { type ErrorCode, isSystemError, OciError } from '../errors.ts'
import { answerChallenge } from './authorize.ts'
import { readCertificates } from './certificates.ts'
import type { CredentialProvider } from './credentials.ts'
import {
  createHttpClient,
  discard,
  type HttpClient,
  type HttpRequest,
  type HttpResponse,
  isLoopback,
  maxErrorBytes,
  readBody,
} from './http.ts'
import type { ProxySettings } from './proxy.ts'
import { redactText, redactUrl } from './redact.ts'
import type { Endpoint } from './registries-conf.ts'
import { backoffMs, isTransientStatus, maxAttempts, wait as waitFor } from './retry.ts'

/** What a connection depends on beside its endpoint; plain values, which another thread may be given. */
export interface ConnectionFacts {
  /** Default: none. */
  readonly proxy?: ProxySettings | undefined
  /** Directories that have one of certificates for each registry. Default: none. */
  readonly certificateRoots?: readonly string[] | undefined
  /** Milliseconds after which a connection that carries nothing is broken; default: 60 000. */
  readonly stallTimeoutMs?: number | undefined
  /** What is done with the repository; default: `pull`. */
  readonly actions?: 'pull' | 'pull,push' | undefined
}

export interface ConnectionOptions extends ConnectionFacts {
  readonly credentials?: CredentialProvider | undefined
  readonly signal?: AbortSignal | undefined
  /** Told of every attempt that failed and is made again. */
  readonly log?: ((message: string) => void) | undefined
  /** How to pass the time between attempts; tests pass none. */
  readonly wait?: ((ms: number, signal?: AbortSignal) => Promise<void>) | undefined
}

/** One request to a registry. */
export interface RegistryRequest {
  readonly method?: HttpRequest['method']
  /** Below `/v2/<repository>/`; or where the registry sent us, on its own host. */
  readonly path: string | URL
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Makes what is sent, anew for each attempt. */
  readonly body?: (() => string | Uint8Array | AsyncIterable<Uint8Array>) | undefined
}

/** One registry that is talked to about one repository, with whatever authorization that takes. */
export interface Connection {
  readonly endpoint: Endpoint
  /**
   * GETs `path` below `/v2/<repository>/`, again after transient failures.
   *
   * @returns a 2xx answer, its body unread
   * @throws OciError `ERR_IMAGE_NOT_FOUND` 404; `ERR_REGISTRY_AUTH` 401, 403; `ERR_REGISTRY`; `ERR_NETWORK`
   */
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<HttpResponse>
  /** As `get`, any request. */
  send(request: RegistryRequest): Promise<HttpResponse>
  /** As `send`, without another attempt. */
  sendOnce(request: RegistryRequest): Promise<HttpResponse>
  /** Waits before one more attempt; throws `error` when there have been too many or it is not transient. */
  retryAfter(error: unknown, attempt: number): Promise<void>
  close(): Promise<void>
}

/** Connects to an endpoint when it is first used. Endpoints on this host may speak plain http, as insecure ones may. */
export function connect(endpoint: Endpoint, options: ConnectionOptions): Connection {
  const { signal, log, wait = waitFor } = options
  const isInsecure = endpoint.isInsecure || isLoopback(new URL(`http://${endpoint.registry}`).hostname)
  let opened: Promise<{ readonly http: HttpClient; readonly base: URL }> | undefined
  let authorization: string | undefined

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
    const used = authorization
    const response = await once(used)
    if (response.status !== 401 || response.url.origin !== base.origin) return response
    await discard(response)
    // Another request may have fetched a token meanwhile.
    if (authorization === used) {
      const { registry, repository } = endpoint
      authorization = await answerChallenge(response, {
        http,
        registry,
        scope: path === '' ? undefined : `repository:${repository}:${options.actions ?? 'pull'}`,
        credentials: await options.credentials?.(registry, repository),
        signal,
      })
    }
    return once(authorization)
  }

  async function retryAfter(error: unknown, count: number): Promise<void> {
    if (signal?.aborted || count >= maxAttempts || !isTransient(error)) throw error
    const ms = backoffMs(count, error instanceof StatusError ? error.retryAfter : undefined, Date.now())
    log?.(
      `${error instanceof Error ? error.message : error}; attempt ${count + 1} of ${maxAttempts} in ${Math.round(ms)} ms`,
    )
    await wait(ms, signal)
  }

  async function sendOnce(request: RegistryRequest): Promise<HttpResponse> {
    const response = await attempt(request)
    if (response.status >= 200 && response.status < 300) return response
    throw await statusError(response, { endpoint, method: request.method ?? 'GET' })
  }

  async function send(request: RegistryRequest): Promise<HttpResponse> {
    for (let count = 1; ; count++) {
      try {
        return await sendOnce(request)
      } catch (error) {
        await retryAfter(error, count)
      }
    }
  }

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

/** A registry's refusal, which may be over soon. */
class StatusError extends OciError {
  readonly isTransient: boolean
  readonly retryAfter: string | undefined

  constructor(code: ErrorCode, message: string, response: HttpResponse, hint: string | undefined) {
    super(code, message, { hint })
    this.isTransient = isTransientStatus(response.status)
    this.retryAfter = response.header('retry-after')
  }
}

/** Whether trying the same again may help: a broken connection, or a status that says so. */
function isTransient(error: unknown): boolean {
  if (error instanceof StatusError) return error.isTransient
  if (!(error instanceof OciError) || error.code !== 'ERR_NETWORK') return false
  const { cause } = error
  const first: unknown = cause instanceof AggregateError ? cause.errors[0] : cause
  const isHopeless = isSystemError(first, 'ENOTFOUND', 'ECONNREFUSED', 'EPROTO') || isTlsProblem(first)
  return !isHopeless
}

const isTlsProblem = (error: unknown): boolean =>
  error instanceof Error &&
  'code' in error &&
  /^ERR_(SSL|TLS)|CERT|SELF_SIGNED|ISSUER|UNABLE_TO_VERIFY/.test(String(error.code))

async function statusError(
  response: HttpResponse,
  { endpoint: { registry, repository }, method }: { readonly endpoint: Endpoint; readonly method: string },
): Promise<OciError> {
  const body = await readBody(response, maxErrorBytes)
  const said = errorText(body)
  const what = `${method} ${redactUrl(response.url)}: ${response.status}${said === '' ? '' : ` ${said}`}`
  const { status } = response
  if (status === 404) {
    return new StatusError(
      'ERR_IMAGE_NOT_FOUND',
      what,
      response,
      `check the name and the tag; ${registry} has no such thing`,
    )
  }
  if (status === 401 || status === 403) {
    const hint = `check that ${repository} exists and that you may read it, or run "bundle-tool login ${registry}"`
    return new StatusError('ERR_REGISTRY_AUTH', what, response, hint)
  }
  const hint = status === 429 ? 'wait, or log in: the registry limits how much it serves' : undefined
  return new StatusError('ERR_REGISTRY', what, response, hint)
}

/** What a registry's error document says: its codes as received, and their messages. */
function errorText(body: Buffer): string {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'))
    const errors: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, 'errors') : undefined
    if (!Array.isArray(errors)) return ''
    const texts = errors.map((error: unknown) => {
      const { code, message } = { code: '', message: '', ...(typeof error === 'object' ? error : {}) }
      return [code, message].filter((part) => typeof part === 'string' && part !== '').join(': ')
    })
    return redactText(texts.filter((text) => text !== '').join('; '))
  } catch {
    return ''
  }
}

/** Where the API is: https, or, for an endpoint that may speak it, plain http when there is no TLS. */
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
