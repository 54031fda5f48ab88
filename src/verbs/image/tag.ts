import { OciError } from '../../errors.ts'
import { isDigest } from '../../oci/digest.ts'
import { formatReference, parseReference } from '../../oci/reference.ts'
import { openStoreToWriteOf, type StoreOptions } from './images.ts'

export interface TagResult {
  /** The full new name. */
  readonly name: string
  /** Digest of the manifest that it stands for; of several platforms, that of the newest. */
  readonly digest: string
}

/**
 * Gives an image of the store a further name, for every platform that the store has it for. An image that had the name loses it.
 *
 * @param image a name, or the digest of a manifest
 * @throws OciError `ERR_IMAGE_NOT_FOUND`, `ERR_REFERENCE_INVALID`; `ERR_USAGE` the new name has a digest
 */
export async function tag(image: string, name: string, options: StoreOptions = {}): Promise<TagResult> {
  const target = parseReference(name)
  if (target.digest !== undefined) {
    throw new OciError('ERR_USAGE', `"${name}" has a digest, which no image can be given`, { hint: 'leave it out' })
  }
  const store = await openStoreToWriteOf(options)
  const entry = isDigest(image) ? await store.findDigest(image) : undefined
  const full = isDigest(image) ? image : formatReference(parseReference(image))
  const entries = entry === undefined ? await store.find(full) : [entry]
  const [newest] = entries
  if (newest === undefined) {
    throw new OciError('ERR_IMAGE_NOT_FOUND', `the store has no image ${full}`, {
      hint: '"bundle-tool images" lists what it has',
    })
  }
  for (const found of entries.toReversed()) await store.tag(formatReference(target), found)
  return { name: formatReference(target), digest: newest.digest }
}
