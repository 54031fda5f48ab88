import { OciError } from '../../errors.ts'
import { isDigest } from '../../oci/digest.ts'
import { formatReference, parseReference } from '../../oci/reference.ts'
import { refNameAnnotation } from '../../store/layout.ts'
import { openStoreToWriteOf, type StoreOptions } from './images.ts'
import { type PruneResult, prune } from './prune.ts'

/**
 * Removes an image from the store, by its name or its digest, and the blobs that no other image needs.
 *
 * @throws OciError `ERR_IMAGE_NOT_FOUND` the store has no such image; `ERR_STORE_IN_USE` something is being pulled
 */
export async function removeImage(name: string, options: StoreOptions = {}): Promise<PruneResult> {
  const store = await openStoreToWriteOf(options)
  const full = isDigest(name) ? undefined : formatReference(parseReference(name))
  const removed = await store.unlist(({ digest, annotations }) =>
    full === undefined ? digest === name : annotations?.[refNameAnnotation] === full,
  )
  if (removed === 0) {
    throw new OciError('ERR_IMAGE_NOT_FOUND', `the store has no image ${full ?? name}`, {
      hint: '"bundle-tool images" lists what it has',
    })
  }
  return prune(options)
}
