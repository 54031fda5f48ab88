import { OciError } from '../../errors.ts'
import { formatReference, parseReference } from '../../oci/reference.ts'
import { deleteAccess } from '../../registry/access.ts'
import { deleteManifest } from '../../registry/delete.ts'
import type { RegistryOptions } from '../../registry/options.ts'
import { checkRegistryName } from '../../registry/registry-name.ts'

export interface DeleteImageResult {
  /** The full name of what was deleted. */
  readonly reference: string
}

/**
 * Deletes a tag in a registry, or with a digest the manifest itself, and with it every tag of it. Blobs stay, until the
 * registry itself removes those that no manifest needs.
 *
 * @param name with a tag or a digest
 * @throws OciError `ERR_USAGE`, `ERR_REFERENCE_INVALID`, `ERR_IMAGE_NOT_FOUND`, `ERR_REGISTRY_AUTH`, `ERR_NETWORK`;
 *   `ERR_NOT_SUPPORTED` the registry deletes nothing, or by digest only
 */
export async function deleteImage(name: string, options: RegistryOptions = {}): Promise<DeleteImageResult> {
  const image = name.replace(/^docker:\/\//, '')
  checkRegistryName(image, (source) => `name an image of a registry, and not ${source}`)
  const reference = parseReference(image)
  if (reference.digest === undefined && !/:[^/]+$/.test(image)) {
    throw new OciError('ERR_USAGE', `"${name}" does not say what to delete`, { hint: 'name it with its tag or digest' })
  }
  const { endpoints, ...connection } = await deleteAccess(reference, options)
  const [endpoint] = endpoints
  if (endpoint === undefined) throw new Error('a reference has an endpoint')
  await deleteManifest(endpoint, reference.digest ?? reference.tag ?? '', connection)
  const { tag: _, ...withoutTag } = reference
  return { reference: formatReference(reference.digest === undefined ? reference : withoutTag) }
}
