import { parsePlatform } from '../../oci/platform.ts'
import type { Reference } from '../../oci/reference.ts'
import { pullAccess, type Signatures } from '../../registry/access.ts'
import type { RegistryOptions } from '../../registry/options.ts'
import type { Image } from '../../source/image.ts'
import type { LayerProgress } from '../../source/layer-progress.ts'
import { registryImage } from '../../source/registry-image.ts'
import { threadedFetcher } from '../../source/threaded-fetcher.ts'
import type { Store } from '../../store/store.ts'
import { beginUse } from '../../store/usage.ts'

export interface TriedImage {
  readonly image: Image
  /** Awaited when the layers have been read: what was fetched is in the store then. */
  readonly stored: () => Promise<void>
  readonly close: () => Promise<void>
}

export interface FetchOptions {
  /** `OS/ARCH[/VARIANT]`; default: this host's, and an image for one platform alone as it is. */
  readonly platform?: string | undefined
  readonly onProgress?: ((progress: LayerProgress) => void) | undefined
}

interface Fetching extends RegistryOptions, FetchOptions {
  readonly store: Store
  readonly signatures: Signatures
}

/** Fetches an image into the store, while its layers are read. @throws OciError as `pull` */
export async function fetchTriedImage(reference: Reference, options: Fetching): Promise<TriedImage> {
  const { store, signatures, platform, onProgress } = options
  const access = await pullAccess(reference, options)
  const endUse = await beginUse(store.path)
  const source = registryImage({
    reference,
    fetcher: threadedFetcher({ ...access, store }),
    store,
    signatures,
    onProgress,
  })
  const close = async (): Promise<void> => {
    await source.close()
    endUse()
  }
  try {
    const image = await source.image(platform === undefined ? undefined : parsePlatform(platform))
    return { image, stored: () => source.stored(), close }
  } catch (error) {
    await close()
    throw error
  }
}
