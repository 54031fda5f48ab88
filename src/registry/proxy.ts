import { OciError } from '../errors.ts'

/** The proxies to use, and the hosts to reach without one: plain values, which can be passed to another thread. */
export interface ProxySettings {
  readonly http: NamedProxy | undefined
  readonly https: NamedProxy | undefined
  /** The value of NO_PROXY, as `parseExceptions` reads it. */
  readonly except: string
}

/** An environment variable that names a proxy; its value may contain a password. */
export interface NamedProxy {
  readonly variable: string
  readonly value: string
}

/** The proxies that the environment names; the lower-case variable counts where both are set. */
export function proxySettings(env: NodeJS.ProcessEnv): ProxySettings | undefined {
  const [http, https] = [readProxy(env, 'HTTP_PROXY'), readProxy(env, 'HTTPS_PROXY')]
  if (http === undefined && https === undefined) return undefined
  return { http, https, except: env.no_proxy || env.NO_PROXY || '' }
}

function readProxy(env: NodeJS.ProcessEnv, name: string): NamedProxy | undefined {
  const variable = [name.toLowerCase(), name].find((candidate) => env[candidate])
  return variable === undefined ? undefined : { variable, value: env[variable] ?? '' }
}

/** The address of a proxy, with the authorization for it. */
export interface ProxyAddress {
  readonly origin: string
  /** The header Proxy-Authorization for the name and password in the URL. */
  readonly authorization: string | undefined
}

/**
 * Parses the URL of a proxy; without a scheme it is http, as for curl and Go.
 * @throws OciError `ERR_CONFIG_INVALID` the value is not a URL; `ERR_NOT_SUPPORTED` its scheme is neither http nor
 *   https. Neither message repeats the value.
 */
export function parseProxy({ variable, value }: NamedProxy): ProxyAddress {
  const text = value.includes('://') ? value : `http://${value}`
  if (!URL.canParse(text)) {
    throw new OciError('ERR_CONFIG_INVALID', `${variable} is not the URL of a proxy`, {
      hint: 'write it as in http://USER:PASSWORD@HOST:PORT, special characters of the password as in %40',
    })
  }
  const { protocol, origin, username, password } = new URL(text)
  if (protocol !== 'http:' && protocol !== 'https:') {
    throw new OciError('ERR_NOT_SUPPORTED', `${variable} names a proxy of the kind "${protocol.slice(0, -1)}"`, {
      hint: 'name one that speaks http or https',
    })
  }
  return { origin, authorization: username === '' ? undefined : basic(variable, username, password) }
}

function basic(variable: string, username: string, password: string): string {
  try {
    const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
    return `Basic ${Buffer.from(credentials).toString('base64')}`
  } catch (error) {
    if (!(error instanceof URIError)) throw error
    throw new OciError('ERR_CONFIG_INVALID', `${variable} has a "%" in the name or the password that encodes nothing`, {
      hint: 'write "%" itself as %25',
    })
  }
}

/** The error for a proxy that answers in place of the registry. */
export class ProxyRefusal extends OciError {
  readonly status: number

  constructor(what: string, { origin }: ProxyAddress, status: number) {
    const isAboutCredentials = status === 407 || status === 401 // tinyproxy
    const refusal = isAboutCredentials ? 'requires a valid user name and password' : 'does not connect to it'
    super('ERR_NETWORK', `${what}: the proxy ${origin} ${refusal} (${status})`, {
      hint: isAboutCredentials
        ? `write them into HTTP_PROXY and HTTPS_PROXY, as in ${origin.replace('://', '://USER:PASSWORD@')}`
        : 'name the host in NO_PROXY, if it can be reached without a proxy',
    })
    this.status = status
  }
}
