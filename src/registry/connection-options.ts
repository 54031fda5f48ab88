import type { CredentialProvider } from './credential-provider.ts'
import type { ProxySettings } from './proxy.ts'

/** Settings of a connection besides its endpoint: plain values, which can be passed to another thread. */
export interface ConnectionFacts {
  /** Proxies to use. Default: none. */
  readonly proxy?: ProxySettings | undefined
  /** Directories with a subdirectory of certificates for each registry. Default: none. */
  readonly certificateRoots?: readonly string[] | undefined
  /** Milliseconds without data after which a connection counts as broken; default: 60 000. */
  readonly stallTimeoutMs?: number | undefined
  /** Access to the repository; default: `pull`. */
  readonly actions?: 'pull' | 'pull,push' | 'pull,push,delete' | undefined
  /** Set to fetch layers that the registry lacks from their publishers' URLs; default: such a layer is an error. */
  readonly foreignLayers?: ForeignLayers | undefined
}

export interface ConnectionOptions extends ConnectionFacts {
  readonly credentials?: CredentialProvider | undefined
  readonly signal?: AbortSignal | undefined
  /** Called about every failed attempt that is repeated. */
  readonly log?: ((message: string) => void) | undefined
  /** Called about answers that are wrong in a way that does no harm. */
  readonly warn?: ((message: string) => void) | undefined
  /** Waits between attempts; tests pass a function that does not wait. */
  readonly wait?: ((ms: number, signal?: AbortSignal) => Promise<void>) | undefined
}

/** Permission to fetch layers from the URLs that a manifest names for them. */
export interface ForeignLayers {
  /** True when plain http and unverified TLS are allowed there. */
  readonly isInsecure: boolean
}
