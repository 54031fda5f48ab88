import { OciError } from './errors.ts'
import { formatReference } from './oci/reference.ts'
import { pullAccess, type RegistryOptions } from './registry/access.ts'
import { resolveReference } from './registry/short-names.ts'
import { fetchTags } from './registry/tags.ts'

export interface TagList {
  /** The full name of the repository. */
  readonly repository: string
  readonly tags: readonly string[]
}

/** The tags of a repository in a registry. @throws OciError `ERR_IMAGE_NOT_FOUND`, `ERR_REGISTRY`, `ERR_NETWORK` ... */
export async function listTags(name: string, options: RegistryOptions = {}): Promise<TagList> {
  const { tag: _, ...reference } = await resolveReference(name.replace(/^docker:\/\//, ''), options.env ?? process.env)
  if (reference.digest !== undefined) throw new OciError('ERR_USAGE', 'a digest has no tags; name a repository')
  const { endpoints, ...connection } = await pullAccess(reference, options)
  const endpoint = endpoints.at(-1)
  if (endpoint === undefined) throw new Error('a reference has an endpoint')
  return { repository: formatReference(reference), tags: await fetchTags(endpoint, connection) }
}
