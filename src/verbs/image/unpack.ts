import type { ConfigChanges } from '../../bundle/changes/config-changes.ts'
import type { Choices, UnpackLimits } from '../../layer/rootfs.ts'
import { parsePlatform } from '../../oci/platform.ts'
import { openSource } from '../../source/source.ts'
import { checkPlace } from './bundle-directory.ts'
import { configChanger } from './config-changer.ts'
import { type LayerRead, makeBundle } from './make-bundle.ts'

export interface UnpackOptions extends Choices {
  /** Where the bundle is to appear. */
  readonly out: string
  /** Replace a bundle that is there; default false. */
  readonly force?: boolean | undefined
  /** Give the program a terminal; default true. Without one it can run in the background, from scripts and with streams. */
  readonly terminal?: boolean | undefined
  /** Changes of the config.json that the image asks for; `terminal` is its `tty`. */
  readonly changes?: ConfigChanges | undefined
  /** Made by root of a user namespace (`unshare`), for containers that have its ids. Default false. */
  readonly subids?: boolean | undefined
  /** How much the layers may ask for; by default what real images stay below. */
  readonly limits?: UnpackLimits | undefined
  /** `OS/ARCH[/VARIANT]`; default: this host's, and an image for one platform alone as it is. */
  readonly platform?: string | undefined
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
  const { out, force = false, platform, stdin, env, policy, signal } = options
  const wanted = platform === undefined ? undefined : parsePlatform(platform)
  checkPlace(out, force)
  const change = await configChanger(options)
  const source = await openSource(sourceName, { stdin, env, policy, signal })
  try {
    const image = await source.image(wanted)
    return { image: image.name, digest: image.digest, bundle: await makeBundle(image, { ...options, change }) }
  } finally {
    await source.close()
  }
}
