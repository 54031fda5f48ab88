import type { Dispatcher, Pool } from 'undici'
import type { Certificates } from './certificates.ts'
import { isLoopback } from './private-address.ts'
import { type NamedProxy, type ProxyAddress, type ProxySettings, parseProxy } from './proxy.ts'

const connectTimeoutMs = 30_000
/** Time without data after which a connection counts as broken, unless the client sets another. */
const defaultStallTimeoutMs = 60_000

export interface RouteOptions {
  /** True when unverified TLS is allowed. */
  readonly isInsecure: boolean
  /** Authorities to trust, and a client certificate, which only the host of the first request gets. */
  readonly certificates?: Certificates | undefined
  readonly proxy?: ProxySettings | undefined
  /** Milliseconds without data after which a connection counts as broken; default: 60 000. */
  readonly stallTimeoutMs?: number | undefined
}

export interface AllRoutes {
  /** Routes to the host of the first request, also for redirects within that host. */
  readonly own: Routes
  readonly others: Routes
}

/** Chooses how a URL is reached: directly or through a proxy. */
export interface Routes {
  /** @throws OciError as `parseProxy` */
  to(url: URL): Route
  close(): Promise<void>
}

export interface Route {
  readonly dispatcher: Dispatcher
  readonly proxy?: ProxyAddress
}

/**
 * Makes the connections of a client for one level of trust, each when it is first used.
 *
 * undici is loaded here and not at the start: loading takes longer than many commands, and most clients are never used.
 */
export async function createRoutes({ isInsecure, certificates = {}, ...options }: RouteOptions): Promise<AllRoutes> {
  const { ca, cert, key } = certificates
  // No authorities, since nothing is verified: reading all those of Node.js takes longer than a small pull.
  const trust = isInsecure
    ? { rejectUnauthorized: false, ca: [] }
    : { rejectUnauthorized: true, ...(ca !== undefined && { ca: [...ca] }) } // also when NODE_TLS_REJECT_UNAUTHORIZED is 0
  // In the library's bundle, undici's names are members of the default export alone.
  const { default: undici } = await import('undici')
  const isExcepted = options.proxy && (await import('./proxy-exceptions.ts')).parseExceptions(options.proxy.except)
  const create = (tls: Tls): Routes => routesWith(undici, tls, { ...options, isExcepted })
  const own = create(cert === undefined ? trust : { ...trust, cert, key })
  return { own, others: cert === undefined ? own : create(trust) }
}

type Undici = typeof import('undici').default
type Tls = Readonly<Record<string, unknown>>

interface Settings extends Pick<RouteOptions, 'proxy' | 'stallTimeoutMs'> {
  readonly isExcepted: ((url: URL) => boolean) | undefined
}

function routesWith(
  undici: Undici,
  tls: Tls,
  { proxy, isExcepted, stallTimeoutMs = defaultStallTimeoutMs }: Settings,
): Routes {
  const timeouts = { headersTimeout: stallTimeoutMs, bodyTimeout: stallTimeoutMs }
  const direct = { dispatcher: new undici.Agent({ connect: { timeout: connectTimeoutMs, ...tls }, ...timeouts }) }
  const proxied = new Map<string, Route>()

  function through(proxy: NamedProxy): Route {
    const known = proxied.get(proxy.variable)
    if (known !== undefined) return known
    const address = parseProxy(proxy)
    const route = { dispatcher: createProxyAgent(undici, address, { tls, timeouts }), proxy: address }
    proxied.set(proxy.variable, route)
    return route
  }

  return {
    to(url) {
      const wanted = url.protocol === 'https:' ? proxy?.https : proxy?.http
      return wanted === undefined || isLoopback(url.hostname) || isExcepted?.(url) ? direct : through(wanted)
    },
    close: async () => {
      await Promise.all([direct, ...proxied.values()].map(({ dispatcher }) => dispatcher.destroy()))
    },
  }
}

/**
 * A dispatcher for a proxy. As with Go and curl, https is tunnelled through the proxy, and plain http is requested from
 * it.
 */
function createProxyAgent(
  { Pool, ProxyAgent }: Undici,
  { origin, authorization }: ProxyAddress,
  { tls, timeouts }: { readonly tls: Tls; readonly timeouts: Pool.Options },
): Dispatcher {
  return new ProxyAgent({
    uri: origin,
    ...(authorization !== undefined && { token: authorization }),
    proxyTunnel: false,
    requestTls: { timeout: connectTimeoutMs, ...tls },
    proxyTls: { timeout: connectTimeoutMs },
    ...timeouts,
    // ProxyAgent does not apply the timeouts to requests to the proxy itself.
    clientFactory: (url, options) => new Pool(url, { ...timeouts, ...options }),
    factory: (url, options) => new Pool(url, { ...timeouts, ...options }),
  })
}
