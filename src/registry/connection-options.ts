import type { CredentialProvider } from './credential-provider.ts'
import type { ProxySettings } from './proxy.ts'

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
  /** Whether layers that the registry lacks are fetched from where their publisher has them; default: they are refused. */
  readonly foreignLayers?: ForeignLayers | undefined
}

export interface ConnectionOptions extends ConnectionFacts {
  readonly credentials?: CredentialProvider | undefined
  readonly signal?: AbortSignal | undefined
  /** Told of every attempt that failed and is made again. */
  readonly log?: ((message: string) => void) | undefined
  /** How to pass the time between attempts; tests pass none. */
  readonly wait?: ((ms: number, signal?: AbortSignal) => Promise<void>) | undefined
}

/** Leave to fetch layers from the addresses that a manifest names for them. */
export interface ForeignLayers {
  /** Plain http and unverified TLS are allowed there. */
  readonly isInsecure: boolean
}
