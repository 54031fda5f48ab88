import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isSystemError, OciError } from '../errors.ts'
import type { Reference } from '../oci/reference.ts'

/** A place of a repository: one host, and the repository's name there. */
export interface Endpoint {
  /** `host[:port]` as configured; `docker.io` for Docker Hub itself. */
  readonly registry: string
  readonly repository: string
  /** True when unverified TLS and plain http are allowed. */
  readonly isInsecure: boolean
}

/** A `[[registry]]` table: references below `prefix` are looked for in the mirrors, then at `location`. */
export interface RegistryEntry {
  readonly prefix: string
  readonly location: string
  readonly isInsecure: boolean
  readonly isBlocked: boolean
  readonly mirrors: readonly Mirror[]
}

export interface Mirror {
  readonly location: string
  readonly isInsecure: boolean
  readonly pull: 'all' | 'digest-only' | 'tag-only'
}

/**
 * Reads the registry configuration that podman, skopeo and buildah share.
 *
 * `$CONTAINERS_REGISTRIES_CONF` names the only file to read. Otherwise it is the user's registries.conf or else
 * /etc/containers/registries.conf, then the drop-ins of registries.conf.d (system, then user; by name), a later table
 * replacing an earlier one of the same prefix. Missing files are no error.
 *
 * @throws OciError `ERR_CONFIG_INVALID` a file is not TOML or not of this format
 * @see containers-registries.conf(5)
 */
export async function readRegistriesConf(env: NodeJS.ProcessEnv, system = '/etc/containers'): Promise<RegistryEntry[]> {
  const files = await configFiles(env, system)
  const entries = new Map<string, RegistryEntry>()
  for (const file of files) {
    const text = await readIfThere(file)
    if (text === undefined) continue
    for (const entry of await parseRegistriesConf(text, file)) entries.set(entry.prefix, entry)
  }
  return [...entries.values()]
}

/**
 * The endpoints to try for a reference, best first: mirrors in their order, then the registry itself.
 *
 * @throws OciError `ERR_REGISTRY` the reference is blocked
 */
export function endpointsFor(reference: Reference, entries: readonly RegistryEntry[]): Endpoint[] {
  const name = reference.repository === '' ? reference.registry : `${reference.registry}/${reference.repository}`
  const entry = entries
    .filter(({ prefix }) => matchLength(prefix, name) > 0)
    .sort((a, b) => matchLength(b.prefix, name) - matchLength(a.prefix, name))[0]
  if (entry === undefined)
    return [{ registry: reference.registry, repository: reference.repository, isInsecure: false }]
  if (entry.isBlocked) {
    throw new OciError('ERR_REGISTRY', `registries.conf blocks ${entry.prefix}, which includes ${name}`, {
      hint: 'remove "blocked" from that table, or pull from another registry',
    })
  }
  const rest = name.slice(matchLength(entry.prefix, name))
  const byDigest = reference.digest !== undefined
  const mirrors = entry.mirrors.filter(({ pull }) => pull === 'all' || (pull === 'digest-only') === byDigest)
  return [...mirrors, entry].map(({ location, isInsecure }) => {
    const full = location === '' ? name : location + rest
    const slash = full.indexOf('/')
    return { registry: full.slice(0, slash), repository: full.slice(slash + 1), isInsecure }
  })
}

/**
 * The number of characters of `name` that a prefix matches; 0 when it does not match. `*.host` matches any subdomain.
 */
function matchLength(prefix: string, name: string): number {
  if (prefix.startsWith('*.')) {
    const end = `${name}/`.indexOf('/')
    const host = name.slice(0, end)
    return host.endsWith(prefix.slice(1)) ? end : 0
  }
  return name === prefix || name.startsWith(`${prefix}/`) ? prefix.length : 0
}

/** Parses one file of the second format (`[[registry]]`). */
export async function parseRegistriesConf(text: string, file: string): Promise<RegistryEntry[]> {
  const value = await parseToml(text, file)
  if (value.registries !== undefined) {
    throw new OciError('ERR_CONFIG_INVALID', `${file} is in the first format of registries.conf`, {
      pointer: '/registries',
      hint: 'write [[registry]] tables, see containers-registries.conf(5)',
    })
  }
  return tables(value.registry, file, 'registry').map((table) => toEntry(table, file))
}

async function parseToml(text: string, file: string): Promise<Record<string, unknown>> {
  const { parse } = await import('smol-toml')
  try {
    return parse(text)
  } catch (cause) {
    throw new OciError('ERR_CONFIG_INVALID', `${file} is not TOML: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    })
  }
}

function toEntry(table: Record<string, unknown>, file: string): RegistryEntry {
  const location = text(table, 'location', file) ?? ''
  const prefix = text(table, 'prefix', file) ?? location
  if (prefix === '') throw invalid(file, 'a [[registry]] has neither "prefix" nor "location"')
  const digestOnly = flag(table, 'mirror-by-digest-only', file)
  return {
    prefix: withoutSlash(prefix),
    location: withoutSlash(location || (prefix.startsWith('*.') ? '' : prefix)),
    isInsecure: flag(table, 'insecure', file),
    isBlocked: flag(table, 'blocked', file),
    mirrors: tables(table.mirror, file, 'registry.mirror').map((mirror) => toMirror(mirror, file, digestOnly)),
  }
}

function toMirror(table: Record<string, unknown>, file: string, digestOnly: boolean): Mirror {
  const location = text(table, 'location', file)
  if (location === undefined || location === '') throw invalid(file, 'a [[registry.mirror]] has no "location"')
  const pull = text(table, 'pull-from-mirror', file) ?? (digestOnly ? 'digest-only' : 'all')
  if (pull !== 'all' && pull !== 'digest-only' && pull !== 'tag-only') {
    throw invalid(file, `"pull-from-mirror" is "${pull}", not all, digest-only or tag-only`)
  }
  return { location: withoutSlash(location), isInsecure: flag(table, 'insecure', file), pull }
}

/** The name among `credential-helpers` that stands for the files of credentials. */
export const authFilesHelper = 'containers-auth.json'

/**
 * The credential helpers that registries.conf names, in the order in which they are asked; a later file's list replaces an
 * earlier one. Default: the files of credentials alone.
 *
 * @throws OciError `ERR_CONFIG_INVALID`
 * @see containers-registries.conf(5) "GLOBAL SETTINGS"
 */
export async function readCredentialHelpers(env: NodeJS.ProcessEnv, system?: string): Promise<readonly string[]> {
  let helpers: readonly string[] = [authFilesHelper]
  for (const file of await configFiles(env, system)) {
    const own = (await parseToml((await readIfThere(file)) ?? '', file))['credential-helpers']
    if (own === undefined) continue
    if (!Array.isArray(own) || !own.every((name) => typeof name === 'string')) {
      throw invalid(file, '"credential-helpers" is not a list of strings')
    }
    helpers = own
  }
  return helpers
}

/** The files there may be, in the order they are read. */
export async function configFiles(env: NodeJS.ProcessEnv, system = '/etc/containers'): Promise<string[]> {
  const named = env.CONTAINERS_REGISTRIES_CONF
  if (named !== undefined && named !== '') return [named]
  const home = env.XDG_CONFIG_HOME || (env.HOME === undefined ? undefined : join(env.HOME, '.config'))
  const user = home === undefined ? undefined : join(home, 'containers')
  const userFile = user === undefined ? undefined : join(user, 'registries.conf')
  const hasOwn = userFile !== undefined && (await readIfThere(userFile)) !== undefined
  const main = hasOwn ? userFile : join(system, 'registries.conf')
  return [main, ...(await dropIns(system)), ...(user === undefined ? [] : await dropIns(user))]
}

async function dropIns(directory: string): Promise<string[]> {
  const folder = join(directory, 'registries.conf.d')
  try {
    const names = await readdir(folder)
    return names
      .filter((name) => name.endsWith('.conf'))
      .sort()
      .map((name) => join(folder, name))
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR')) return []
    throw new OciError('ERR_CONFIG_INVALID', `cannot read ${folder}`, { cause: error })
  }
}

export async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw new OciError('ERR_CONFIG_INVALID', `cannot read ${file}: ${isSystemError(error) ? error.code : error}`, {
      cause: error,
    })
  }
}

function tables(value: unknown, file: string, name: string): Record<string, unknown>[] {
  if (value === undefined) return []
  if (!Array.isArray(value)) throw invalid(file, `"${name}" is not a list of tables: write [[${name}]]`)
  return value.map((table: unknown) => {
    if (typeof table !== 'object' || table === null) throw invalid(file, `an entry of "${name}" is not a table`)
    return { ...table }
  })
}

function text(table: Record<string, unknown>, key: string, file: string): string | undefined {
  const value = table[key]
  if (value === undefined || typeof value === 'string') return value
  throw invalid(file, `"${key}" is not a string`)
}

function flag(table: Record<string, unknown>, key: string, file: string): boolean {
  const value = table[key]
  if (value === undefined) return false
  if (typeof value === 'boolean') return value
  throw invalid(file, `"${key}" is neither true nor false`)
}

const withoutSlash = (location: string): string => location.replace(/\/+$/, '')

const invalid = (file: string, why: string): OciError => new OciError('ERR_CONFIG_INVALID', `${file}: ${why}`)
