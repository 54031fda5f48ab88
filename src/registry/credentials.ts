import { OciError } from '../errors.ts'
import { type AuthFile, authFiles, readAuthFile, readAuthText } from './auth-file.ts'
import { askHelper } from './credential-helper.ts'
import type { CredentialProvider, Credentials } from './credential-provider.ts'

/** Keys under which Docker Hub's credentials are found; the second is the one that docker itself writes. */
const hubKeys = ['docker.io', 'https://index.docker.io/v1/', 'index.docker.io', 'registry-1.docker.io']

/**
 * The credentials configured for docker, podman and similar tools: `DOCKER_AUTH_CONFIG` (the content of a config.json),
 * then the files of `authFiles`; the first that has the registry counts.
 *
 * In one file a credential helper of the registry comes first, then the longest path of containers' `auth.json`
 * (`host/team/app`, `host/team`, `host`), then the file's own helper.
 * @param authFile the only file to read
 * @throws OciError `ERR_REGISTRY_AUTH` a file is invalid, or a helper fails
 */
export function configuredCredentials(env: NodeJS.ProcessEnv, authFile?: string): CredentialProvider {
  let files: Promise<readonly AuthFile[]> | undefined
  return async (registry, repository = '') => {
    files ??= readAll(env, authFile)
    for (const file of await files) {
      const found = await lookUp(file, { registry, repository, env })
      if (found !== undefined) return { ...found, from: file.path }
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

/** The keys that stand for a whole registry, first the one to write. */
export function registryKeys(registry: string): readonly string[] {
  if (registry === 'docker.io') return ['https://index.docker.io/v1/', ...hubKeys]
  return [registry, `https://${registry}`, `https://${registry}/`, `https://${registry}/v1/`, `https://${registry}/v2/`]
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
}

async function lookUp(file: AuthFile, { registry, repository, env }: Wanted): Promise<Credentials | undefined> {
  const keys = registryKeys(registry)
  const serverKey = keys[0] ?? registry
  const helper = keys.map((key) => file.helpers[key]).find((name) => name !== undefined)
  if (helper !== undefined) return askHelper(helper, serverKey, env)
  for (const key of [...pathKeys(registry, repository), ...keys]) {
    const entry = file.auths[key]
    const credentials = entry === undefined ? undefined : toCredentials(entry, file.path)
    if (credentials !== undefined) return credentials
  }
  return file.store === undefined ? undefined : askHelper(file.store, serverKey, env)
}

/** `host/a/b`, `host/a`: the keys of containers' auth.json that are longer than a host. */
function pathKeys(registry: string, repository: string): string[] {
  const parts = repository === '' ? [] : repository.split('/')
  return parts.map((_, index) => [registry, ...parts.slice(0, parts.length - index)].join('/'))
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
