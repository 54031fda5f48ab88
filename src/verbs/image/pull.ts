import { parsePlatform } from '../../oci/platform.ts'
import { formatReference } from '../../oci/reference.ts'
import { allowReference, pullAccess } from '../../registry/access.ts'
import type { RegistryOptions } from '../../registry/options.ts'
import { checkRegistryName } from '../../registry/registry-name.ts'
import { resolveReference } from '../../registry/short-names.ts'
import type { Image } from '../../source/image.ts'
import type { LayerProgress } from '../../source/layer-progress.ts'
import { registryImage } from '../../source/registry-image.ts'
import { threadedFetcher } from '../../source/threaded-fetcher.ts'
import { defaultStorePath } from '../../store/location.ts'
import { openStoreToWrite } from '../../store/store.ts'
import { beginUse } from '../../store/usage.ts'
import { checkPlace } from './bundle-directory.ts'
import { configChanger } from './config-changer.ts'
import { type LayerRead, makeBundle, type NewBundleOptions } from './make-bundle.ts'
import { type UnpackedTree, unpackedTree } from './unpacked-trees.ts'

export interface PullOptions extends RegistryOptions, NewBundleOptions {
  /** Keep a copy of the rootfs in the store: the next bundle of the image is a copy of that. Default false. */
  readonly keepUnpacked?: boolean | undefined
  /** Directory of the store; default: /var/lib/bundle-tool, or `$XDG_DATA_HOME/bundle-tool` for others than root. */
  readonly store?: string | undefined
  readonly onProgress?: ((progress: LayerProgress) => void) | undefined
  /** Told how many bytes of a layer's blob have been read to be applied. */
  readonly onLayerRead?: ((read: LayerRead) => void) | undefined
  /** Told when each layer has been applied. */
  readonly onLayer?: ((applied: { readonly name: string; readonly entries: number }) => void) | undefined
  /** Told what the image asks for and is done differently. */
  readonly warn?: ((message: string) => void) | undefined
}

export interface PullResult {
  /** The full name of what was pulled. */
  readonly reference: string
  /** Digest of the manifest, one image for one platform. */
  readonly digest: string
  /** Absolute path of the bundle. */
  readonly bundle: string
}

/**
 * Makes a bundle of an image in a registry, by way of the store. Layers are fetched several at a time and applied in
 * order while they arrive; what the store has is not fetched again. The bundle appears whole or not at all.
 *
 * A pull that ends early, by whatever cause, keeps the bytes it has fetched: the next one goes on from there.
 * @throws OciError `ERR_REFERENCE_INVALID`, `ERR_POLICY`, `ERR_IMAGE_NOT_FOUND`, `ERR_PLATFORM_UNAVAILABLE`, `ERR_REGISTRY`,
 *   `ERR_REGISTRY_AUTH`, `ERR_NETWORK`, `ERR_DIGEST_MISMATCH`, `ERR_BUNDLE_EXISTS`, `ERR_LAYER_INVALID` and others
 */
export async function pull(name: string, options: PullOptions): Promise<PullResult> {
  const { out, force = false, platform, env = process.env, onProgress } = options
  const image = name.replace(/^docker:\/\//, '')
  checkRegistryName(image, (source) => `use "bundle-tool unpack ${source} --out ${out}"`)
  const reference = await resolveReference(image, env)
  const wanted = platform === undefined ? undefined : parsePlatform(platform)
  checkPlace(out, force)
  const change = await configChanger(options)
  const signatures = await allowReference(reference, options)
  const access = await pullAccess(reference, options)
  const store = await openStoreToWrite(options.store ?? defaultStorePath(env))
  const endUse = await beginUse(store.path)
  const fetcher = threadedFetcher({ ...access, store })
  const source = registryImage({ reference, fetcher, store, signatures, onProgress })
  try {
    const found = await source.image(wanted)
    const unpacked = unpackedTreeOf(found, store.path, options)
    const bundle = await makeBundle(found, { ...options, change, unpacked, beforeVisible: () => source.stored() })
    return { reference: formatReference(reference), digest: found.digest ?? '', bundle }
  } finally {
    await source.close()
    endUse()
  }
}

/** Limits count what is unpacked: with limits of its own a bundle is unpacked itself. */
function unpackedTreeOf(
  { digest }: Image,
  store: string,
  { limits = {}, strictOverlay, keepDirlinks, keepUnpacked, log }: PullOptions,
): UnpackedTree | undefined {
  if (digest === undefined || Object.values(limits).some((limit) => limit !== undefined)) return undefined
  return unpackedTree(store, { manifest: digest, strictOverlay, keepDirlinks, keepUnpacked, log })
}
