import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isSystemError, OciError } from '../errors.ts'

/** Who a registry is told we are: a name and a password, or a token that stands for both at the token server. */
export type Credentials =
  | { readonly kind: 'password'; readonly username: string; readonly password: string }
  | { readonly kind: 'identity-token'; readonly token: string }

/** Looks up what to tell a registry (`docker.io`, `localhost:5000`); undefined means anonymous. */
export type CredentialProvider = (registry: string) => Promise<Credentials | undefined>

/** Keys under which `docker login` and its kin have kept Docker Hub's credentials. */
const hubKeys = ['docker.io', 'https://index.docker.io/v1/', 'index.docker.io', 'registry-1.docker.io']

/**
 * Credentials from Docker's config.json: `auths` only; a registry served by a credential helper is refused, not skipped.
 *
 * @param path default: `$DOCKER_CONFIG/config.json` or `$HOME/.docker/config.json`; a missing file has no credentials
 * @throws OciError `ERR_REGISTRY_AUTH` the file is not what docker writes; `ERR_NOT_SUPPORTED` a helper is configured
 */
export function dockerCredentials(env: NodeJS.ProcessEnv, path: string = configPath(env)): CredentialProvider {
  let file: Promise<DockerConfig> | undefined
  return async (registry) => {
    file ??= readConfig(path)
    const { auths, helpers, store } = await file
    const keys = registry === 'docker.io' ? hubKeys : [registry, `https://${registry}`, `https://${registry}/v1/`]
    const helper = keys.map((key) => helpers[key]).find((name) => name !== undefined)
    const entry = keys.map((key) => auths[key]).find((auth) => auth !== undefined)
    const credentials = entry === undefined ? undefined : toCredentials(entry, path)
    if (credentials !== undefined) return credentials
    const wanted = helper ?? (entry === undefined ? undefined : store)
    if (wanted === undefined) return undefined
    throw new OciError('ERR_NOT_SUPPORTED', `${path} keeps the credentials of ${registry} in the helper "${wanted}"`, {
      hint: 'put them under "auths" in a config.json of its own and point DOCKER_CONFIG at its directory',
    })
  }
}

interface DockerConfig {
  readonly auths: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly helpers: Readonly<Record<string, string>>
  readonly store: string | undefined
}

function configPath(env: NodeJS.ProcessEnv): string {
  return join(env.DOCKER_CONFIG ?? join(env.HOME ?? '/root', '.docker'), 'config.json')
}

async function readConfig(path: string): Promise<DockerConfig> {
  const value = await readJson(path)
  const auths = Object.entries(record(value.auths)).map(([key, auth]) => [key, record(auth)] as const)
  const helpers = Object.entries(record(value.credHelpers)).filter((pair): pair is [string, string] => isText(pair[1]))
  return {
    auths: Object.fromEntries(auths),
    helpers: Object.fromEntries(helpers),
    store: isText(value.credsStore) ? value.credsStore : undefined,
  }
}

async function readJson(path: string): Promise<Record<string, unknown>> {
  try {
    return record(JSON.parse(await readFile(path, 'utf8')))
  } catch (cause) {
    if (isSystemError(cause, 'ENOENT', 'ENOTDIR')) return {}
    // The cause may quote the file, which holds passwords: only its kind is told.
    const reason = isSystemError(cause) ? cause.code : 'it is not JSON'
    throw new OciError('ERR_REGISTRY_AUTH', `cannot read credentials from ${path}: ${reason}`)
  }
}

function toCredentials(entry: Readonly<Record<string, unknown>>, path: string): Credentials | undefined {
  if (isText(entry.identitytoken)) return { kind: 'identity-token', token: entry.identitytoken }
  if (isText(entry.username) && isText(entry.password)) {
    return { kind: 'password', username: entry.username, password: entry.password }
  }
  if (!isText(entry.auth)) return undefined
  const text = Buffer.from(entry.auth, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  if (colon <= 0) throw new OciError('ERR_REGISTRY_AUTH', `an "auth" in ${path} is not base64 of name:password`)
  return { kind: 'password', username: text.slice(0, colon), password: text.slice(colon + 1).replace(/\0+$/, '') }
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}
