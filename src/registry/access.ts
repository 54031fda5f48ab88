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

/** Endpoints, credentials and settings for reaching one image. */
export interface RegistryAccess extends ConnectionFacts {
  /** Endpoints to try, best first. */
  readonly endpoints: readonly Endpoint[]
  readonly credentials: CredentialProvider
  readonly signal: AbortSignal | undefined
  readonly log: ((message: string) => void) | undefined
  readonly warn: ((message: string) => void) | undefined
}

/**
 * Refuses an image in a file or a daemon that the policy does not allow.
 * @throws OciError `ERR_POLICY`, `ERR_CONFIG_INVALID`
 */
export async function allow(
  origin: Origin,
  name: string,
  options: Pick<RegistryOptions, 'policy' | 'env'>,
): Promise<void> {
  checkPolicy(await readPolicy(options.env ?? process.env, { file: options.policy }), origin, name)
}

/** Refuses an image whose manifest lacks a required signature. @throws OciError as `checkSignatures` */
export type Signatures = (manifest: SignedImage['manifest'], store: SignatureStore) => Promise<void>

/**
 * Refuses an image of a registry that the policy does not allow.
 * @returns the check of the image's signatures, to be made before anything that the manifest names is read
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

/**
 * The access for reading an image.
 * @throws OciError `ERR_CONFIG_INVALID`; `ERR_REGISTRY` registries.conf blocks the image
 */
export async function pullAccess(reference: Reference, options: RegistryOptions): Promise<RegistryAccess> {
  return access(endpointsFor(reference, await readRegistriesConf(options.env ?? process.env)), options)
}

/** The access for writing an image: at its registry, never at a mirror. */
export async function pushAccess(reference: Reference, options: RegistryOptions): Promise<RegistryAccess> {
  const endpoints = endpointsFor(reference, await readRegistriesConf(options.env ?? process.env))
  return { ...access(endpoints.slice(-1), options), actions: 'pull,push' }
}

/** The access for deleting an image: at its registry, never at a mirror. */
export async function deleteAccess(reference: Reference, options: RegistryOptions): Promise<RegistryAccess> {
  return { ...(await pushAccess(reference, options)), actions: 'pull,push,delete' }
}

function access(endpoints: readonly Endpoint[], options: RegistryOptions): RegistryAccess {
  const { insecure, signal, log, warn, env = process.env } = options
  return {
    endpoints: endpoints.map((endpoint) => (insecure ? { ...endpoint, isInsecure: true } : endpoint)),
    credentials: providerOf(options, env),
    proxy: proxySettings(env),
    certificateRoots: certificateRoots(env),
    ...(options.foreignLayers && { foreignLayers: { isInsecure: insecure === true } }),
    signal,
    log,
    warn,
  }
}

function providerOf({ credentials, authFile, warn }: RegistryOptions, env: NodeJS.ProcessEnv): CredentialProvider {
  if (typeof credentials === 'string') return givenCredentials(credentials)
  return credentials ?? configuredCredentials(env, { authFile, warn })
}
