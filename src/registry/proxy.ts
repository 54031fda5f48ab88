/** Which proxies to go through, and where to without one. */
export interface ProxySettings {
  readonly http: string | undefined
  readonly https: string | undefined
  /** Hosts and domains, separated by commas; `*` is all. */
  readonly except: string
}

/** The proxies that the environment names; the lower-case variable counts where both are set. */
export function proxySettings(env: NodeJS.ProcessEnv): ProxySettings | undefined {
  const read = (name: string) => env[name.toLowerCase()] || env[name] || undefined
  const [http, https] = [read('HTTP_PROXY'), read('HTTPS_PROXY')]
  if (http === undefined && https === undefined) return undefined
  return { http, https, except: read('NO_PROXY') ?? '' }
}
