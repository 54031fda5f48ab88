import { OciError } from '../errors.ts'
import { type AuthFile, authFiles, readAuthFile, readAuthText } from './auth-file.ts'
import { keysOf, pathKeys, registryKeys } from './auth-keys.ts'
import { askHelper } from './credential-helper.ts'
import type { CredentialProvider, Credentials } from './credential-provider.ts'
import { authFilesHelper, readCredentialHelpers } from './registries-conf.ts'

export interface ConfiguredOptions {
  /** The one file to look into; credential helpers of registries.conf are left out with it. */
  readonly authFile?: string | undefined
  /** Told, once each, what cannot be used and is passed over. */
  readonly warn?: ((message: string) => void) | undefined
}

/**
 * The credentials that docker, podman and their kin have been given: by the credential helpers of registries.conf in their
 * order, among which `containers-auth.json`, the default, stands for `DOCKER_AUTH_CONFIG` (the content of a config.json) and
 * the files of `authFiles`; the first that knows the registry counts.
 *
 * In one file a credential helper of the registry comes first, then the longest path of containers' `auth.json`
 * (`host/team/app`, `host/team`, `host`), then the file's own helper. A helper that fails is passed over with a warning, as
 * is an entry that cannot be read: a public image needs no credentials.
 * @throws OciError `ERR_REGISTRY_AUTH` a file is not what docker writes; `ERR_CONFIG_INVALID`
 */
export function configuredCredentials(
  env: NodeJS.ProcessEnv,
  { authFile, warn = () => {} }: ConfiguredOptions = {},
): CredentialProvider {
  let files: Promise<readonly AuthFile[]> | undefined
  let helpers: Promise<readonly string[]> | undefined
  const warned = new Set<string>()
  const warnOnce = (message: string): void => {
    if (!warned.has(message)) warn(message)
    warned.add(message)
  }

  async function lookIntoFiles(wanted: Wanted): Promise<Credentials | undefined> {
    files ??= readAll(env, authFile)
    for (const file of await files) {
      const found = await lookUp(file, wanted)
      if (found !== undefined) return { ...found, from: file.path }
    }
    return undefined
  }

  return async (registry, repository = '') => {
    const wanted = { registry, repository, env, warn: warnOnce }
    helpers ??= authFile === undefined ? readCredentialHelpers(env) : Promise.resolve([authFilesHelper])
    for (const helper of await helpers) {
      const found = await (helper === authFilesHelper ? lookIntoFiles(wanted) : ask(helper, 'registries.conf', wanted))
      if (found !== undefined) return { from: 'registries.conf', ...found }
    }
    return undefined
  }
}

/**
 * The credentials `USER:PASSWORD` of `--creds`, for every registry. A missing password is an error and not asked for,
 * as in skopeo.
 * @param from the option, for messages
 * @throws OciError `ERR_USAGE`
 */
export function givenCredentials(text: string, from = '--creds'): CredentialProvider {
  const colon = text.indexOf(':')
  if (colon <= 0) {
    const missing = colon === 0 || text === '' ? 'user name' : 'password'
    throw new OciError('ERR_USAGE', `the credentials have no ${missing}`, {
      hint: `write ${from} USER:PASSWORD, or keep them with "bundle-tool login"`,
    })
  }
  const [username, password] = [text.slice(0, colon), text.slice(colon + 1)]
  return async () => ({ kind: 'password', username, password, from })
}

async function readAll(env: NodeJS.ProcessEnv, authFile: string | undefined): Promise<readonly AuthFile[]> {
  const text = env.DOCKER_AUTH_CONFIG
  const isGiven = authFile === undefined && text !== undefined && text !== ''
  const inEnvironment = isGiven ? [readAuthText(text, 'DOCKER_AUTH_CONFIG')] : []
  const paths = authFile === undefined ? authFiles(env) : [authFile]
  return [...inEnvironment, ...(await Promise.all(paths.map(readAuthFile)))]
}

interface Wanted {
  readonly registry: string
  readonly repository: string
  readonly env: NodeJS.ProcessEnv
  readonly warn: (message: string) => void
}

async function lookUp(file: AuthFile, wanted: Wanted): Promise<Credentials | undefined> {
  const { registry, repository } = wanted
  for (const key of keysOf(registry, file.helpers)) {
    const found = await ask(file.helpers[key] ?? '', file.path, wanted)
    if (found !== undefined) return found
  }
  for (const key of [...pathKeys(registry, repository), ...keysOf(registry, file.auths)]) {
    const entry = Object.hasOwn(file.auths, key) ? file.auths[key] : undefined
    const credentials = entry === undefined ? undefined : toCredentials(entry, () => wanted.warn(unreadable(key, file)))
    if (credentials !== undefined) return credentials
  }
  return file.store === undefined ? undefined : ask(file.store, file.path, wanted)
}

const unreadable = (key: string, { path }: AuthFile): string =>
  `the "auth" of ${key} in ${path} is not base64 of name:password, and is not used`

/** The credentials that a helper keeps for a registry; a helper that fails is passed over. @param from where it is named, for messages */
async function ask(helper: string, from: string, { registry, env, warn }: Wanted): Promise<Credentials | undefined> {
  try {
    return await askHelper(helper, registryKeys(registry)[0] ?? registry, env)
  } catch (error) {
    if (!(error instanceof OciError)) throw error
    warn(`${error.message}; ${from} names it for ${registry}, which is asked without it`)
    return undefined
  }
}

function toCredentials(entry: Readonly<Record<string, unknown>>, onUnreadable: () => void): Credentials | undefined {
  if (isText(entry.registrytoken)) return { kind: 'registry-token', token: entry.registrytoken }
  if (isText(entry.identitytoken)) return { kind: 'identity-token', token: entry.identitytoken }
  if (isText(entry.username) && isText(entry.password)) {
    return { kind: 'password', username: entry.username, password: entry.password }
  }
  if (!isText(entry.auth)) return undefined
  const text = Buffer.from(entry.auth, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  if (colon > 0)
    return { kind: 'password', username: text.slice(0, colon), password: text.slice(colon + 1).replace(/\0+$/, '') }
  onUnreadable()
  return undefined
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''
