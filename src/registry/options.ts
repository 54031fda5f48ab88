import type { CredentialProvider } from './credential-provider.ts'

/** How registries are reached, as a caller may say it; what is left out is found in the usual files. */
export interface RegistryOptions {
  /** `USER:PASSWORD`, or where to look credentials up. Default: what docker and podman have been given. */
  readonly credentials?: string | CredentialProvider | undefined
  /** The one file to look credentials up in. */
  readonly authFile?: string | undefined
  /** The file that says which images may be used; default: containers' policy.json. */
  readonly policy?: string | undefined
  /** Whether plain http and unverified TLS are allowed; default: as registries.conf says. */
  readonly insecure?: boolean | undefined
  /**
   * Whether layers that are not for distribution are taken along: a copy leaves them out by default. One that the registry
   * lacks is fetched from the addresses in the manifest, without credentials, and else an error.
   */
  readonly foreignLayers?: boolean | undefined
  /** Where configuration is looked up; default: that of the process. */
  readonly env?: NodeJS.ProcessEnv | undefined
  readonly signal?: AbortSignal | undefined
  /** Told of attempts that failed and what is done about it. */
  readonly log?: ((message: string) => void) | undefined
}
