import { OciError } from '../../errors.ts'
import { formatReference } from '../../oci/reference.ts'
import { pullAccess } from '../../registry/access.ts'
import { resolveReference } from '../../registry/short-names.ts'
import { fetchTags } from '../../registry/tags.ts'
import { type ContentOptions, openContent, parsePlace } from '../../source/places.ts'

export interface TagList {
  /** The full name of the repository, or the name of the layout or archive. */
  readonly repository: string
  readonly tags: readonly string[]
}

/**
 * The tags of a repository in a registry, or the names of the images in `oci:DIR`, `oci-archive:F` or `docker-archive:F`.
 *
 * @throws OciError `ERR_IMAGE_NOT_FOUND`, `ERR_REGISTRY`, `ERR_NETWORK`, `ERR_SOURCE_INVALID` ...
 */
export async function listTags(name: string, options: ContentOptions = {}): Promise<TagList> {
  const { kind, rest } = parsePlace(name)
  if (kind !== 'docker') return listNames(name, options)
  const { tag: _, ...reference } = await resolveReference(rest, options.env ?? process.env)
  if (reference.digest !== undefined) throw new OciError('ERR_USAGE', 'a digest has no tags; name a repository')
  const { endpoints, ...connection } = await pullAccess(reference, options)
  const endpoint = endpoints.at(-1)
  if (endpoint === undefined) throw new Error('a reference has an endpoint')
  return { repository: formatReference(reference), tags: await fetchTags(endpoint, connection) }
}

async function listNames(place: string, options: ContentOptions): Promise<TagList> {
  const content = await openContent(place, options)
  try {
    return { repository: content.name, tags: (await content.names?.()) ?? [] }
  } finally {
    await content.close()
  }
}
