import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isSystemError, OciError } from '../errors.ts'

/** What must hold for an image to be used, by where it comes from. */
export interface Policy {
  readonly path: string
  readonly fallback: readonly Requirement[]
  /** Requirements by transport (`docker`, `oci` ...) and scope. */
  readonly transports: Readonly<Record<string, Readonly<Record<string, readonly Requirement[]>>>>
}

interface Requirement {
  readonly type: string
}

/** Where an image comes from, in the words of policy.json. */
export interface Origin {
  readonly transport: string
  /** From the most to the least specific, as in `host/team/app:tag`, `host/team/app`, `host/team`, `host`, `*.domain`. */
  readonly scopes: readonly string[]
}

/**
 * Reads the policy that containers' tools share: the file that is named, or the user's, or else the system's. Where there
 * is none, everything is accepted.
 *
 * @throws OciError `ERR_CONFIG_INVALID` it cannot be read, or has another form
 * @see containers-policy.json(5)
 */
export async function readPolicy(
  env: NodeJS.ProcessEnv,
  {
    file,
    system = '/etc/containers/policy.json',
  }: { readonly file?: string | undefined; readonly system?: string } = {},
): Promise<Policy | undefined> {
  const config = env.XDG_CONFIG_HOME || join(env.HOME || '/root', '.config')
  for (const path of file === undefined ? [join(config, 'containers/policy.json'), system] : [file]) {
    const text = await read(path, file === undefined)
    if (text !== undefined) return parsePolicy(text, path)
  }
  return undefined
}

export function parsePolicy(text: string, path: string): Policy {
  const value = object(parseJson(text, path), path, 'it')
  for (const key of Object.keys(value)) {
    if (key !== 'default' && key !== 'transports') throw invalid(path, `"${key}" is unknown`)
  }
  const transports = Object.entries(object(value.transports ?? {}, path, '"transports"')).map(([transport, scopes]) => {
    const entries = Object.entries(object(scopes, path, `"transports"."${transport}"`))
    return [transport, Object.fromEntries(entries.map(([scope, list]) => [scope, requirements(list, path)]))] as const
  })
  return { path, fallback: requirements(value.default, path), transports: Object.fromEntries(transports) }
}

/**
 * Refuses an image that a policy does not allow. A requirement that cannot be checked here is not met.
 *
 * @throws OciError `ERR_POLICY`
 */
export function checkPolicy(policy: Policy | undefined, { transport, scopes }: Origin, name: string): void {
  if (policy === undefined) return
  const known = policy.transports[transport] ?? {}
  const scope = [...scopes, ''].find((candidate) => Object.hasOwn(known, candidate))
  const list = (scope === undefined ? undefined : known[scope]) ?? policy.fallback
  const where = scope === undefined ? 'its "default"' : `"${transport}" "${scope}"`
  for (const { type } of list) {
    if (type === 'insecureAcceptAnything') continue
    if (type === 'reject') {
      throw new OciError('ERR_POLICY', `${policy.path} rejects ${name}, by ${where}`, {
        hint: 'use an image from another place, or change the policy',
      })
    }
    throw new OciError(
      'ERR_POLICY',
      `${policy.path} asks for "${type}" of ${name}, by ${where}: it cannot be checked`,
      {
        hint: 'have a tool that checks signatures copy the image to a place that the policy accepts',
      },
    )
  }
}

/** The origin of an image of a registry. */
export function registryOrigin(name: string): Origin {
  const repository = name.replace(/@.*$/, '').replace(/:[^:/]*$/, '')
  const parts = repository.split('/')
  const paths = parts.map((_, index) => parts.slice(0, parts.length - index).join('/'))
  const domains = (parts[0] ?? '').split('.')
  const wildcards = domains.slice(1).map((_, index) => `*.${domains.slice(index + 1).join('.')}`)
  return { transport: 'docker', scopes: [name, ...paths, ...wildcards] }
}

/** The origin of an image in a file or directory: the path and those above. */
export function fileOrigin(transport: string, path: string, name: string | undefined): Origin {
  const parts = path.split('/')
  const above = parts.map((_, index) => parts.slice(0, parts.length - index).join('/')).filter((part) => part !== '')
  return { transport, scopes: [...(name === undefined ? [] : [`${path}:${name}`]), ...above] }
}

async function read(path: string, isOptional: boolean): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (isOptional && isSystemError(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw invalid(path, isSystemError(error) ? String(error.code) : String(error))
  }
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw invalid(path, `it is not JSON: ${cause instanceof Error ? cause.message : cause}`)
  }
}

function requirements(value: unknown, path: string): readonly Requirement[] {
  if (!Array.isArray(value) || value.length === 0) throw invalid(path, 'a list of requirements is missing or empty')
  return value.map((item: unknown) => {
    const { type } = object(item, path, 'a requirement')
    if (typeof type !== 'string') throw invalid(path, 'a requirement has no "type"')
    return { type }
  })
}

function object(value: unknown, path: string, what: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value }
  throw invalid(path, `${what} is not an object`)
}

const invalid = (path: string, why: string): OciError =>
  new OciError('ERR_CONFIG_INVALID', `cannot use the policy ${path}: ${why}`)
