import { OciError } from '../errors.ts'
import { type Digest, parseDigest } from './digest.ts'

/** The name of an image in a registry. If there is a digest, it decides, and the tag is only informative. */
export interface Reference {
  /** `host[:port]` in lower case; Docker Hub is `docker.io`. */
  readonly registry: string
  /** The path in the registry, as in `library/ubuntu`. */
  readonly repository: string
  readonly tag?: string | undefined
  readonly digest?: Digest | undefined
}

const component = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*'
const repositoryPattern = new RegExp(`^${component}(?:/${component})*$`)
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/
const label = '[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?'
const registryPattern = new RegExp(`^(?:${label}(?:\\.${label})*|\\[[0-9A-Fa-f:.]+\\])(?::[0-9]{1,5})?$`)
const maxRepositoryLength = 255

/**
 * Parses an image name as Docker does: `ubuntu:18.04` is docker.io/library/ubuntu:18.04; a first component with a dot, a
 * colon or an upper-case letter, or `localhost`, is a registry; the default tag without a digest is `latest`.
 *
 * @throws OciError `ERR_REFERENCE_INVALID`, `ERR_DIGEST_INVALID`
 * @see distribution-spec v1.1.1 "Pulling manifests"; distribution reference grammar
 */
export function parseReference(text: string): Reference {
  const { name, tag, digest } = splitReference(text)
  const { registry, repository } = splitName(name)
  if (!registryPattern.test(registry)) throw invalid(text, `"${registry}" is not a registry host`)
  if (/[A-Z]/.test(repository)) throw invalid(text, 'the repository has upper-case letters', 'write it in lower case')
  if (!repositoryPattern.test(repository)) throw invalid(text, `"${repository}" is not a repository`)
  if (repository.length > maxRepositoryLength)
    throw invalid(text, `the repository is longer than ${maxRepositoryLength}`)
  if (tag !== undefined && !tagPattern.test(tag)) throw invalid(text, `"${tag}" is not a tag`)
  const version = tag === undefined && digest === undefined ? 'latest' : tag
  return {
    registry: registry.toLowerCase(),
    repository,
    ...(version !== undefined && { tag: version }),
    ...(digest !== undefined && { digest: parseDigest(digest) }),
  }
}

/**
 * Parses the registry of `login`, with or without a scheme; all names of Docker Hub become `docker.io`.
 * @throws OciError `ERR_REFERENCE_INVALID`
 */
export function parseRegistry(text: string): string {
  const host = text.replace(/^https?:\/\//, '').replace(/\/(v[12]\/?)?$/, '')
  if (!registryPattern.test(host)) {
    throw new OciError('ERR_REFERENCE_INVALID', `"${text}" is not a registry`, {
      hint: 'write HOST[:PORT], as in quay.io or localhost:5000',
    })
  }
  return /^(index\.docker\.io|registry-1\.docker\.io|docker\.io)$/i.test(host) ? 'docker.io' : host.toLowerCase()
}

/** Formats a reference in full; `parseReference` of the result returns the same reference. */
export function formatReference({ registry, repository, tag, digest }: Reference): string {
  return `${registry}/${repository}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`
}

function splitReference(text: string): { name: string; tag: string | undefined; digest: string | undefined } {
  const at = text.indexOf('@')
  const digest = at < 0 ? undefined : text.slice(at + 1)
  const named = at < 0 ? text : text.slice(0, at)
  const colon = named.indexOf(':', named.lastIndexOf('/') + 1)
  const [name, tag] = colon < 0 ? [named, undefined] : [named.slice(0, colon), named.slice(colon + 1)]
  if (name === '') throw invalid(text, 'it has no name')
  if (/^[0-9a-f]{64}$/.test(name)) throw invalid(text, 'it is an image ID, which no registry can look up')
  return { name, tag, digest }
}

function splitName(name: string): { registry: string; repository: string } {
  const slash = name.indexOf('/')
  const first = slash < 0 ? '' : name.slice(0, slash)
  const isHost = first.includes('.') || first.includes(':') || first === 'localhost' || first !== first.toLowerCase()
  const registry = isHost ? first : 'docker.io'
  const repository = isHost ? name.slice(slash + 1) : name
  if (registry !== 'docker.io' && registry !== 'index.docker.io') return { registry, repository }
  return { registry: 'docker.io', repository: repository.includes('/') ? repository : `library/${repository}` }
}

function invalid(text: string, why: string, hint?: string): OciError {
  return new OciError('ERR_REFERENCE_INVALID', `"${text}" is not an image reference: ${why}`, {
    hint: hint ?? 'write [REGISTRY/]REPOSITORY[:TAG][@DIGEST], as in ubuntu:18.04',
  })
}
