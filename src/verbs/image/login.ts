import { OciError } from '../../errors.ts'
import { parseRegistry } from '../../oci/reference.ts'
import { pushAccess } from '../../registry/access.ts'
import { dockerConfigPath, readAuthFile, writeAuths } from '../../registry/auth-file.ts'
import { keysOf, registryKeys } from '../../registry/auth-keys.ts'
import { connect } from '../../registry/connection.ts'
import { storeInHelper } from '../../registry/credential-helper.ts'
import { discard } from '../../registry/http.ts'
import type { RegistryOptions } from '../../registry/options.ts'

export interface LoginOptions extends Omit<RegistryOptions, 'credentials'> {
  readonly username: string
  readonly password: string
}

export interface LoginResult {
  readonly registry: string
  /** The file or the helper that keeps the credentials. */
  readonly keptIn: string
}

/**
 * Keeps credentials for a registry, once the registry has accepted them, where docker and podman look as well: in
 * `--authfile`, `$REGISTRY_AUTH_FILE` or docker's config.json, or with the credential helper that this file names.
 *
 * @throws OciError `ERR_REGISTRY_AUTH` the registry refuses them, or they cannot be kept; `ERR_NETWORK`
 */
export async function login(name: string, options: LoginOptions): Promise<LoginResult> {
  const { username, password, authFile, env = process.env } = options
  if (username === '') throw new OciError('ERR_USAGE', 'the user name is empty')
  if (password === '') throw new OciError('ERR_USAGE', 'the password is empty')
  const registry = parseRegistry(name)
  await checkCredentials(registry, options)
  const file = await readAuthFile(authFile ?? (env.REGISTRY_AUTH_FILE || dockerConfigPath(env)))
  const [server = registry] = registryKeys(registry)
  const [helperKey] = keysOf(registry, file.helpers)
  const keeper = helperKey === undefined ? file.store : file.helpers[helperKey]
  if (keeper !== undefined) {
    await storeInHelper(keeper, { server, username, password }, env)
    return { registry, keptIn: `docker-credential-${keeper}` }
  }
  const auth = Buffer.from(`${username}:${password}`).toString('base64')
  await writeAuths(file.path, { [server]: { auth } })
  return { registry, keptIn: file.path }
}

async function checkCredentials(registry: string, options: LoginOptions): Promise<void> {
  const { username, password } = options
  const access = await pushAccess({ registry, repository: '' }, { ...options, credentials: async () => credentials })
  const credentials = { kind: 'password', username, password } as const
  const [endpoint] = access.endpoints
  if (endpoint === undefined) throw new Error('a registry has an endpoint')
  const connection = connect({ ...endpoint, registry }, access)
  try {
    await discard(await connection.get(''))
  } finally {
    await connection.close()
  }
}
