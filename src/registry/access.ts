import { formatReference, type Reference } from '../oci/reference.ts'
import { certificateRoots } from './certificates.ts'
import type { ConnectionFacts } from './connection-options.ts'
import type { CredentialProvider } from './credential-provider.ts'
import { configuredCredentials, givenCredentials } from './credentials.ts'
import type { RegistryOptions } from './options.ts'
import { checkPolicy, type Origin, readPolicy, registryOrigin } from './policy.ts'
import { proxySettings } from './proxy.ts'
import { type Endpoint, endpointsFor, readRegistriesConf } from './registries-conf.ts'
import { checkSignatures, type SignatureStore, type SignedImage } from './signatures.ts'

/** How one image is reached. */
export interface RegistryAccess extends ConnectionFacts {
  /** Best first. */
  readonly endpoints: readonly Endpoint[]
  readonly credentials: CredentialProvider
  readonly signal: AbortSignal | undefined
  readonly log: ((message: string) => void) | undefined
}

/** Refuses an image of a file or a daemon that may not be used. @throws OciError `ERR_POLICY`, `ERR_CONFIG_INVALID` */
export async function allow(
  origin: Origin,
  name: string,
  options: Pick<RegistryOptions, 'policy' | 'env'>,
): Promise<void> {
  checkPolicy(await readPolicy(options.env ?? process.env, { file: options.policy }), origin, name)
}

/** Refuses an image whose manifest does not have the signatures that it must have. @throws OciError as `checkSignatures` */
export type Signatures = (manifest: SignedImage['manifest'], store: SignatureStore) => Promise<void>

/**
 * Refuses an image of a registry that may not be used.
 *
 * @returns what is still to be asked when its manifest is there, before anything that it names is read
 * @throws OciError `ERR_POLICY`, `ERR_CONFIG_INVALID`
 */
export async function allowReference(
  reference: Reference,
  options: Pick<RegistryOptions, 'policy' | 'env'>,
): Promise<Signatures> {
  const policy = await readPolicy(options.env ?? process.env, { file: options.policy })
  const wanted = checkPolicy(policy, registryOrigin(reference), formatReference(reference))
  return (manifest, store) => checkSignatures(wanted, { reference, manifest }, store)
}

/** Works out how to reach an image to read it. @throws OciError `ERR_CONFIG_INVALID`, `ERR_REGISTRY` it is blocked */
export async function pullAccess(reference: Reference, options: RegistryOptions): Promise<RegistryAccess> {
  return access(endpointsFor(reference, await readRegistriesConf(options.env ?? process.env)), options)
}

/** Works out how to reach an image to write it: at its registry, never at a mirror. */
export async function pushAccess(reference: Reference, options: RegistryOptions): Promise<RegistryAccess> {
  const endpoints = endpointsFor(reference, await readRegistriesConf(options.env ?? process.env))
  return { ...access(endpoints.slice(-1), options), actions: 'pull,push' }
}

function access(endpoints: readonly Endpoint[], options: RegistryOptions): RegistryAccess {
  const { insecure, signal, log, env = process.env } = options
  return {
    endpoints: endpoints.map((endpoint) => (insecure ? { ...endpoint, isInsecure: true } : endpoint)),
    credentials: providerOf(options, env),
    proxy: proxySettings(env),
    certificateRoots: certificateRoots(env),
    ...(options.foreignLayers && { foreignLayers: { isInsecure: insecure === true } }),
    signal,
    log,
  }
}

function providerOf({ credentials, authFile }: RegistryOptions, env: NodeJS.ProcessEnv): CredentialProvider {
  if (typeof credentials === 'string') return givenCredentials(credentials)
  return credentials ?? configuredCredentials(env, authFile)
}
