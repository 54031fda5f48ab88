import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isSystemError, OciError } from '../errors.ts'
import { type Policy, parsePolicy, type Requirement } from '../oci/policy.ts'
import type { Reference } from '../oci/reference.ts'
import { configDirectory } from './home-directory.ts'
import type { WantedSignature } from './signatures.ts'

/** The origin of an image, in the terms of policy.json. */
export interface Origin {
  readonly transport: string
  /**
   * Scopes from the most to the least specific, such as `host/team/app:tag`, `host/team/app`, `host/team`, `host`,
   * `*.domain`.
   */
  readonly scopes: readonly string[]
}

/**
 * Reads the policy that podman, skopeo and buildah share: the named file, or the user's, or else the system's.
 * @returns undefined when there is none, and everything is accepted
 * @throws OciError `ERR_CONFIG_INVALID` the file cannot be read or is invalid
 * @see containers-policy.json(5)
 */
export async function readPolicy(
  env: NodeJS.ProcessEnv,
  {
    file,
    system = '/etc/containers/policy.json',
  }: { readonly file?: string | undefined; readonly system?: string } = {},
): Promise<Policy | undefined> {
  for (const path of file === undefined ? [join(configDirectory(env), 'containers/policy.json'), system] : [file]) {
    const text = await read(path, file === undefined)
    if (text !== undefined) return parsePolicy(text, path)
  }
  return undefined
}

/**
 * Refuses an image that a policy does not allow, as far as that can be told before anything of the image is read. A
 * requirement that cannot be checked counts as not met.
 * @returns the signatures of a registry's image that are still to be checked
 * @throws OciError `ERR_POLICY`
 */
export function checkPolicy(
  policy: Policy | undefined,
  { transport, scopes }: Origin,
  name: string,
): WantedSignature[] {
  if (policy === undefined) return []
  const known = policy.transports[transport] ?? {}
  const scope = [...scopes, ''].find((candidate) => Object.hasOwn(known, candidate))
  const list = (scope === undefined ? undefined : known[scope]) ?? policy.fallback
  const where = scope === undefined ? 'its "default"' : `"${transport}" "${scope}"`
  const wanted: WantedSignature[] = []
  for (const requirement of list) {
    const { type } = requirement
    if (type === 'sigstoreSigned' && transport === 'docker')
      wanted.push({ ...requirement, by: `${policy.path}, ${where},` })
    else if (type !== 'insecureAcceptAnything') throw refusal(requirement, { path: policy.path, name, where })
  }
  return wanted
}

function refusal(
  requirement: Requirement,
  { path, name, where }: { readonly path: string; readonly name: string; readonly where: string },
): OciError {
  const refuse = (message: string, hint: string) => new OciError('ERR_POLICY', `${path} ${message}`, { hint })
  switch (requirement.type) {
    case 'sigstoreSigned':
      return refuse(
        `asks for a signature of ${name}, by ${where}: it can have none`,
        'pull it from a registry, as files and daemons keep no signatures',
      )
    case 'unsupported':
      return refuse(
        `asks for ${requirement.what} of ${name}, by ${where}: it cannot be checked`,
        'have a tool that checks it copy the image to a place that the policy accepts',
      )
    default:
      return refuse(`rejects ${name}, by ${where}`, 'use an image from another place, or change the policy')
  }
}

/** The origin of an image of a registry; the tag is ignored where there is a digest. */
export function registryOrigin({ registry, repository, tag, digest }: Reference): Origin {
  const name = `${registry}/${repository}`
  const parts = name.split('/')
  const paths = parts.map((_, index) => parts.slice(0, parts.length - index).join('/'))
  const domains = registry.replace(/:\d+$/, '').split('.')
  const wildcards = domains.slice(1).map((_, index) => `*.${domains.slice(index + 1).join('.')}`)
  return {
    transport: 'docker',
    scopes: [digest === undefined ? `${name}:${tag}` : `${name}@${digest}`, ...paths, ...wildcards],
  }
}

/** The origin of an image in a file or directory: its path and the directories above. */
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

const invalid = (path: string, why: string): OciError =>
  new OciError('ERR_CONFIG_INVALID', `cannot use the policy ${path}: ${why}`)
