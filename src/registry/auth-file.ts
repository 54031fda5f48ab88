import { randomBytes } from 'node:crypto'
import { readFile, realpath, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { isSystemError, leadsNowhere, OciError } from '../errors.ts'
import { makeDirectories } from '../make-directories.ts'
import { parseJsonIfAny } from '../oci/json.ts'
import { rootlessUid } from '../oci/user-namespace.ts'
import { configDirectory, homeDirectory } from './home-directory.ts'

/** The content of a credentials file; docker's config.json and containers' auth.json have the same form. */
export interface AuthFile {
  readonly path: string
  readonly auths: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  /** Names of credential helpers by registry. */
  readonly helpers: Readonly<Record<string, string>>
  /** Name of the credential helper for all other registries. */
  readonly store: string | undefined
}

/**
 * The credentials files, best first: `$REGISTRY_AUTH_FILE` alone, or containers' auth.json (of the session, then of the
 * user) and docker's config.json.
 *
 * @see containers-auth.json(5)
 */
export function authFiles(env: NodeJS.ProcessEnv, uid: number = process.getuid?.() ?? 0): readonly string[] {
  if (env.REGISTRY_AUTH_FILE) return [env.REGISTRY_AUTH_FILE]
  return [
    join(
      env.XDG_RUNTIME_DIR || `/run/containers/${env[rootlessUid] || uid}`,
      env.XDG_RUNTIME_DIR ? 'containers/auth.json' : 'auth.json',
    ),
    join(configDirectory(env), 'containers/auth.json'),
    dockerConfigPath(env),
  ]
}

/** Docker's own credentials file, which is the one to write to, since podman and other tools read it as well. */
export function dockerConfigPath(env: NodeJS.ProcessEnv): string {
  return join(env.DOCKER_CONFIG || join(homeDirectory(env), '.docker'), 'config.json')
}

/**
 * Reads a credentials file; a missing one counts as empty.
 * @throws OciError `ERR_REGISTRY_AUTH`, whose message does not repeat the content
 */
export async function readAuthFile(path: string): Promise<AuthFile> {
  return readAuthText((await readIfThere(path)) ?? '{}', path)
}

export function readAuthText(text: string, path: string): AuthFile {
  const value = parse(text, path)
  const auths = Object.entries(record(value.auths)).map(([key, auth]) => [key, record(auth)] as const)
  const helpers = Object.entries(record(value.credHelpers)).filter((pair): pair is [string, string] => isText(pair[1]))
  return {
    path,
    auths: Object.fromEntries(auths),
    helpers: Object.fromEntries(helpers),
    store: isText(value.credsStore) ? value.credsStore : undefined,
  }
}

/**
 * Changes the `auths` of a credentials file and keeps all else in it. A missing file is created; only the owner can
 * read it.
 *
 * @param change the entries to put in place; `undefined` removes one
 */
export async function writeAuths(
  path: string,
  change: Readonly<Record<string, Readonly<Record<string, string>> | undefined>>,
): Promise<void> {
  const value = parse((await readIfThere(path)) ?? '{}', path)
  const auths = { ...record(value.auths) }
  for (const [key, entry] of Object.entries(change)) {
    if (entry === undefined) delete auths[key]
    else auths[key] = entry
  }
  await replace(path, `${JSON.stringify({ ...value, auths }, undefined, '\t')}\n`)
}

async function replace(path: string, text: string): Promise<void> {
  try {
    makeDirectories(dirname(path), 0o700)
    const target = await realPathIfThere(path)
    const temporary = `${target}.${randomBytes(6).toString('hex')}`
    try {
      await writeFile(temporary, text, { flag: 'wx', mode: 0o600 })
      await rename(temporary, target)
    } catch (error) {
      await rm(temporary, { force: true })
      throw error
    }
  } catch (cause) {
    if (!isSystemError(cause)) throw cause
    throw new OciError('ERR_PERMISSION', `cannot write credentials to ${path}: ${cause.code}`, { cause })
  }
}

/** The target of a symlink, or the path itself, so that writing leaves the link in place. */
async function realPathIfThere(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return path
    throw error
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (leadsNowhere(error)) return undefined
    if (!isSystemError(error)) throw error
    throw new OciError('ERR_REGISTRY_AUTH', `cannot read credentials from ${path}: ${error.code}`)
  }
}

function parse(text: string, path: string): Record<string, unknown> {
  const value = parseJsonIfAny(text)
  if (value !== undefined) return record(value)
  throw new OciError('ERR_REGISTRY_AUTH', `cannot read credentials from ${path}: it is not JSON`)
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}
