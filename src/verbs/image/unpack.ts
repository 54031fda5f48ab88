import { parsePlatform } from '../../oci/platform.ts'
import { openSource } from '../../source/source.ts'
import { checkPlace } from './bundle-directory.ts'
import { configChanger } from './config-changer.ts'
import { type LayerRead, makeBundle, type NewBundleOptions } from './make-bundle.ts'

export interface UnpackOptions extends NewBundleOptions {
  /** The stream that `rootfs:-` reads; default: none. */
  readonly stdin?: AsyncIterable<Uint8Array> | undefined
  /** The file that says which images may be used; default: containers' policy.json. */
  readonly policy?: string | undefined
  /** Where configuration and the socket of a daemon are looked up; default: that of the process. */
  readonly env?: NodeJS.ProcessEnv | undefined
  readonly signal?: AbortSignal | undefined
  /** Told what the image asks for and is done differently. */
  readonly warn?: ((message: string) => void) | undefined
  /** Told how many bytes of a layer's blob have been read to be applied. */
  readonly onLayerRead?: ((read: LayerRead) => void) | undefined
  /** Told when each layer has been applied. */
  readonly onLayer?: ((applied: { readonly name: string; readonly entries: number }) => void) | undefined
}

export interface UnpackResult {
  /** The name of the image. */
  readonly image: string
  /** Digest of its manifest; undefined where the source has none, as a rootfs archive. */
  readonly digest: string | undefined
  /** Absolute path of the bundle. */
  readonly bundle: string
}

/**
 * Makes a bundle of a local source: `docker-archive:F[:REF]`, `oci-archive:F[:TAG]`, `oci:DIR[:TAG]`, `docker-daemon:REF`, `rootfs:F`,
 * `rootfs:-` or a file whose kind is found by looking into it. The bundle appears whole or not at all.
 *
 * @throws OciError `ERR_USAGE`, `ERR_SOURCE_INVALID`, `ERR_IMAGE_NOT_FOUND`, `ERR_PLATFORM_UNAVAILABLE`,
 *   `ERR_BUNDLE_EXISTS`, `ERR_DIGEST_MISMATCH`, `ERR_LAYER_INVALID` and others
 */
export async function unpack(sourceName: string, options: UnpackOptions): Promise<UnpackResult> {
  const { out, force = false, platform, stdin, env, policy, signal, warn } = options
  const wanted = platform === undefined ? undefined : parsePlatform(platform)
  checkPlace(out, force)
  const change = await configChanger(options)
  const source = await openSource(sourceName, { stdin, env, policy, signal, warn })
  try {
    const image = await source.image(wanted)
    return { image: image.name, digest: image.digest, bundle: await makeBundle(image, { ...options, change }) }
  } finally {
    await source.close()
  }
}
