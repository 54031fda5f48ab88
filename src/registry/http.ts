import { Readable } from 'node:stream'
import { isSystemError, OciError } from '../errors.ts'
import { decoded } from './content-encoding.ts'
import { isPrivateAddress } from './private-address.ts'
import { type ProxyAddress, ProxyRefusal } from './proxy.ts'
import { redactText, redactUrl } from './redact.ts'
import { type AllRoutes, createRoutes, type Route, type RouteOptions } from './routes.ts'

/** Largest error or token document that is read, in bytes. */
export const maxErrorBytes: number = 1024 * 1024

const maxRedirects = 5

/**
 * A response whose body has not been read. The caller reads it to its end, calls `discard`, or calls `drop`, which
 * closes the connection.
 */
export interface HttpResponse {
  readonly status: number
  readonly url: URL
  readonly body: AsyncIterable<Uint8Array>
  drop(): void
  header(name: string): string | undefined
  headers(name: string): readonly string[]
}

export interface HttpRequest {
  readonly method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE'
  readonly headers?: Readonly<Record<string, string>>
  /** Sent to the first host only, until it redirects to another one. */
  readonly authorization?: string | undefined
  /**
   * Sent to the first host only: a redirect to another one is refused. So is any redirect of a stream, which can be
   * sent only once.
   */
  readonly body?: string | Uint8Array | AsyncIterable<Uint8Array> | undefined
  /** Refuses every redirect, for a body that is a secret. */
  readonly refusesRedirects?: boolean
  readonly signal?: AbortSignal | undefined
}

/** Sends requests over persistent connections. */
export interface HttpClient {
  send(url: URL, request: HttpRequest): Promise<HttpResponse>
  /** Drops all connections, requests under way included. */
  close(): Promise<void>
}

/**
 * An HTTP client for one level of trust.
 *
 * Redirects are followed here and not by undici: Authorization and the body go only to the host they were meant for,
 * https never becomes http, and a public host cannot redirect to an address of a private network.
 */
export function createHttpClient(options: RouteOptions): HttpClient {
  let routes: Promise<AllRoutes> | undefined
  return {
    async send(url, what) {
      routes ??= createRoutes(options)
      return sendFollowing(await routes, url, what)
    },
    async close() {
      const { own, others } = (await routes) ?? {}
      await Promise.all([own?.close(), others?.close()])
    },
  }
}

async function sendFollowing({ own, others }: AllRoutes, first: URL, what: HttpRequest): Promise<HttpResponse> {
  let url = first
  let isOwn = true
  for (let hops = 0; hops <= maxRedirects; hops++) {
    const response = await sendOnce(
      (isOwn ? own : others).to(url),
      url,
      isOwn ? what : { ...what, authorization: undefined },
    )
    const location = response.header('location')
    if (![301, 302, 303, 307, 308].includes(response.status) || location === undefined) return response
    await discard(response)
    const next = parseUrl(location, url)
    if (next === undefined)
      throw new OciError('ERR_REGISTRY', `${redactUrl(url)} redirects to something that is not a URL`)
    checkHop(url, next)
    checkResend(response, next, what)
    // The host that was redirected to may redirect back, to a path of its choice, which must not get the authorization.
    isOwn &&= next.origin === first.origin
    url = next
  }
  throw new OciError('ERR_REGISTRY', `${redactUrl(first)} redirects more than ${maxRedirects} times`)
}

/**
 * Refuses every redirect of a secret; and of a body one to another host, one by 301, 302 or 303, which would drop it,
 * and any where the body is a stream, which can be sent only once.
 * @see RFC 9110 "Redirection 3xx"
 */
function checkResend({ status, url }: HttpResponse, next: URL, what: HttpRequest): void {
  const refuse = (verb: string) =>
    new OciError('ERR_REGISTRY', `${redactUrl(url)} redirects ${verb} to ${redactUrl(next)} (${status}); refused`)
  if (what.refusesRedirects) throw refuse('a secret that is sent to it')
  if (what.body === undefined) return
  if (next.origin !== url.origin || isStream(what.body) || status < 307) throw refuse('what is sent to it')
}

const isStream = (body: HttpRequest['body']): boolean =>
  body !== undefined && typeof body !== 'string' && !(body instanceof Uint8Array)

const ownHeaders = { 'user-agent': 'bundle-tool', 'accept-encoding': 'identity' }

async function sendOnce({ dispatcher, proxy }: Route, url: URL, what: HttpRequest): Promise<HttpResponse> {
  const { authorization } = what
  try {
    const { statusCode, headers, body } = await dispatcher.request({
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      method: what.method ?? 'GET',
      headers: { ...ownHeaders, ...what.headers, ...(authorization !== undefined && { authorization }) },
      ...(what.body !== undefined && { body: toBody(what.body) }),
      ...(what.signal !== undefined && { signal: what.signal }),
    })
    const all = (name: string) => [headers[name] ?? []].flat()
    return {
      status: statusCode,
      url,
      body,
      drop: () => void body.on('error', () => {}).destroy(),
      header: (name) => all(name)[0],
      headers: all,
    }
  } catch (cause) {
    throw networkError(url, cause, { signal: what.signal, proxy })
  }
}

const toBody = (body: string | Uint8Array | AsyncIterable<Uint8Array>): string | Uint8Array | Readable =>
  typeof body === 'string' || body instanceof Uint8Array ? body : Readable.from(body)

/**
 * The error to throw for a connection that failed or broke: an `OciError` unchanged, the signal's reason when it has
 * aborted, otherwise `ERR_NETWORK` with the reason. A programming error is returned unchanged.
 */
export function networkError(
  url: URL,
  cause: unknown,
  { signal, proxy }: { readonly signal?: AbortSignal | undefined; readonly proxy?: ProxyAddress | undefined } = {},
): unknown {
  if (cause instanceof OciError) return cause
  if (signal?.aborted) return signal.reason
  if (!isOfConnection(cause)) return cause
  if (proxy === undefined) {
    return new OciError('ERR_NETWORK', `${redactUrl(url)}: ${reasonOf(cause)}`, { cause, hint: hintFor(cause) })
  }
  const status = /^Proxy .*\((\d{3})\)/.exec(cause.message)?.[1]
  if (status !== undefined) return new ProxyRefusal(redactUrl(url), proxy, Number(status))
  return new OciError('ERR_NETWORK', `${redactUrl(url)} through the proxy ${proxy.origin}: ${reasonOf(cause)}`, {
    cause,
    hint: isSystemError(cause) ? 'check the address of the proxy, or name the host in NO_PROXY' : hintFor(cause, proxy),
  })
}

/**
 * True for system errors and those of TLS and undici, which have a code; what JavaScript itself throws is a programming
 * error.
 */
export function isOfConnection(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && !(error instanceof TypeError || error instanceof RangeError)
}

function reasonOf(cause: unknown): string {
  const inner = cause instanceof AggregateError ? cause.errors[0] : cause
  if (!(inner instanceof Error)) return String(inner)
  const code = 'code' in inner ? String(inner.code) : ''
  const message = redactText(inner.message)
  return code === '' || message.includes(code) ? message : `${message} (${code})`
}

function hintFor(cause: unknown, proxy?: ProxyAddress): string | undefined {
  const text = reasonOf(cause)
  if (/ENOTFOUND|EAI_AGAIN/.test(text)) return 'check the name of the registry and the name server'
  if (/ECONNREFUSED/.test(text)) return 'check that the registry runs and the port is right'
  if (/CERT|SELF_SIGNED|ISSUER|UNABLE_TO_VERIFY/.test(text)) {
    const ofProxy = proxy?.origin.startsWith('https:')
      ? '; a CA of the proxy itself is named in NODE_EXTRA_CA_CERTS'
      : ''
    return `put its CA into /etc/containers/certs.d/HOST:PORT/ca.crt, or mark it insecure in registries.conf${ofProxy}`
  }
  if (/SSL|EPROTO/.test(text)) return 'if the registry speaks plain http, mark it insecure in registries.conf'
  return undefined
}

/**
 * Refuses to continue from one URL at another that is less trustworthy: from https at http, or from a public address at
 * one of this machine or a private network.
 * @throws OciError `ERR_REGISTRY`
 */
export function checkHop(from: URL, to: URL, verb = 'redirects to'): void {
  const refuse = (why: string) =>
    new OciError('ERR_REGISTRY', `${redactUrl(from)} ${verb} ${redactUrl(to)}, ${why}; refused`)
  if (to.protocol !== 'https:' && to.protocol !== 'http:') throw refuse('which is not http')
  if (to.protocol === 'http:' && from.protocol === 'https:') throw refuse('from https to http')
  if (isPrivateAddress(to.hostname) && !isPrivateAddress(from.hostname))
    throw refuse('an address of the private network')
}

/** Reads a body of at most `limit` bytes, also after its content coding is undone. */
export async function readBody(response: HttpResponse, limit: number, signal?: AbortSignal): Promise<Buffer> {
  const received = atMost(limit, response.body, response)
  return collect(atMost(limit, decodedBody({ ...response, body: received }), response), response, signal)
}

/** The body of a response without its content coding. @throws OciError as `decoded`, after dropping the response */
export function decodedBody(response: HttpResponse): AsyncIterable<Uint8Array> {
  const { url, body } = response
  try {
    return decoded({ body, encodings: response.headers('content-encoding'), from: redactUrl(url) })
  } catch (error) {
    response.drop()
    throw error
  }
}

async function* atMost(
  limit: number,
  body: AsyncIterable<Uint8Array>,
  { url }: HttpResponse,
): AsyncGenerator<Uint8Array> {
  let size = 0
  for await (const chunk of body) {
    size += chunk.byteLength
    if (size > limit) throw new OciError('ERR_LIMIT_EXCEEDED', `${redactUrl(url)} sends more than ${limit} bytes`)
    yield chunk
  }
}

async function collect(body: AsyncIterable<Uint8Array>, { url }: HttpResponse, signal?: AbortSignal): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  try {
    for await (const chunk of body) chunks.push(chunk)
  } catch (cause) {
    throw networkError(url, cause, { signal })
  }
  return Buffer.concat(chunks)
}

/**
 * Discards a body: a short one is read, so that the connection can be used again; otherwise the connection is dropped.
 */
export async function discard(response: HttpResponse): Promise<void> {
  try {
    await collect(atMost(64 * 1024, response.body, response), response)
  } catch (error) {
    if (!(error instanceof OciError)) throw error
    response.drop()
  }
}

/** The URL a text stands for, relative to `base` when given, or undefined. */
export function parseUrl(text: string, base?: URL): URL | undefined {
  return URL.canParse(text, base?.href) ? new URL(text, base) : undefined
}
