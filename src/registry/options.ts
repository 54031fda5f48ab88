import type { CredentialProvider } from './credential-provider.ts'

/** Options for reaching registries; the defaults come from the standard configuration files. */
export interface RegistryOptions {
  /** `USER:PASSWORD`, or a function that looks credentials up. Default: the credentials of docker and podman. */
  readonly credentials?: string | CredentialProvider | undefined
  /** The only file to read credentials from. */
  readonly authFile?: string | undefined
  /** The policy file, which states the images that may be used; default: containers' policy.json. */
  readonly policy?: string | undefined
  /** True to allow plain http and unverified TLS. Default: as registries.conf says. */
  readonly insecure?: boolean | undefined
  /**
   * True to include non-distributable layers; one that the registry lacks is then fetched from the URLs in the
   * manifest, without credentials. Default: a copy leaves such layers out, and one that the registry lacks is an error.
   */
  readonly foreignLayers?: boolean | undefined
  /** Environment for the paths of configuration; default: that of the process. */
  readonly env?: NodeJS.ProcessEnv | undefined
  readonly signal?: AbortSignal | undefined
  /** Called about failed attempts and what follows. */
  readonly log?: ((message: string) => void) | undefined
  /** Told of what is passed over and does no harm, as a credential helper that is not installed. */
  readonly warn?: ((message: string) => void) | undefined
}
