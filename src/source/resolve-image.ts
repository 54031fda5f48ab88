import { OciError } from '../errors.ts'
import { refuseArtifact, refuseOtherLayers } from '../oci/artifact.ts'
import { choosePlatform, isAttestation, rankPlatform } from '../oci/choose-platform.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { checkLayerCount, type ImageConfig, imagePlatform, parseImageConfig } from '../oci/image-config.ts'
import { maxImageConfigBytes, maxManifestBytes } from '../oci/limits.ts'
import { type Index, type Manifest, parseManifest } from '../oci/manifest.ts'
import { formatPlatform, hostPlatform, type Platform } from '../oci/platform.ts'
import type { Image } from './image.ts'

/** A manifest or an index with its bytes. */
export interface Document {
  readonly descriptor: Descriptor
  readonly content: Uint8Array
}

export interface ResolvedImage {
  readonly manifest: Manifest
  readonly config: ImageConfig
  /** The root, the indexes on the way and, last, the manifest. */
  readonly documents: readonly Document[]
  readonly configDocument: Document
}

export interface ResolveOptions {
  /** Name of the image in messages. */
  readonly name: string
  readonly platform?: Platform | undefined
  /** Reads a small blob or manifest whole and verified; refuses more than `limit` bytes. */
  readonly read: (blob: Descriptor, kind: 'manifest' | 'image config', limit: number) => Promise<Uint8Array>
  /** Refuses an image that lacks a required signature, before anything that its manifest names is read. */
  readonly checkSigned?: ((manifest: Document) => Promise<void>) | undefined
}

/** The deepest nesting of indexes; real images have one level, two at most. */
export const maxIndexDepth = 4

/** The platform that is chosen when none is requested: this host's. */
export function defaultPlatform(): Platform {
  const { arm_version: armVersion } = { arm_version: undefined, ...process.config.variables }
  return hostPlatform({ arch: process.arch, armVersion: armVersion === undefined ? undefined : String(armVersion) })
}

/**
 * Follows a root document to the image of a platform, and reads its image config.
 *
 * @throws OciError `ERR_PLATFORM_UNAVAILABLE` with a hint that lists the available platforms; `ERR_MANIFEST_INVALID`;
 *   the errors of `read`
 */
export async function resolveImage(root: Document, options: ResolveOptions): Promise<ResolvedImage> {
  const { name, read, platform, checkSigned } = options
  const documents = [root]
  for (let depth = 0; depth <= maxIndexDepth; depth++) {
    const document = documents.at(-1) ?? root
    const what = `${depth === 0 ? 'manifest' : `manifest ${document.descriptor.digest}`} of ${name}`
    const parsed = parseManifest(document.content, { what, mediaType: document.descriptor.mediaType })
    if (parsed.kind === 'manifest') {
      refuseArtifact(parsed, name)
      refuseOtherLayers(parsed, name)
      await checkSigned?.(document)
      const content = await read(parsed.config, 'image config', maxImageConfigBytes)
      const config = parseImageConfig(content, `image config ${parsed.config.digest} of ${name}`)
      checkLayerCount(parsed, config, name)
      if (platform !== undefined) checkPlatform(config, platform, { name, entry: document.descriptor })
      return { manifest: parsed, config, documents, configDocument: { descriptor: parsed.config, content } }
    }
    const wanted = platform ?? defaultPlatform()
    const descriptor = choosePlatform(parsed.manifests, wanted)
    if (descriptor === undefined) throw platformUnavailable(name, wanted, parsed)
    documents.push({ descriptor, content: await read(descriptor, 'manifest', maxManifestBytes) })
  }
  throw new OciError('ERR_MANIFEST_INVALID', `${name} has indexes within indexes, more than ${maxIndexDepth} deep`)
}

/** A resolved image with its layers. @param open reads a layer's blob, which comes at this position of the manifest */
export function imageOf(
  { manifest, config, documents }: ResolvedImage,
  name: string,
  open: (layer: Descriptor, position: number) => AsyncIterable<Uint8Array>,
): Image {
  const layers = manifest.layers.map((layer, position) => ({
    name: layer.digest,
    diffID: config.rootfs.diff_ids[position],
    size: layer.size,
    open: () => open(layer, position),
  }))
  return { name, digest: documents.at(-1)?.descriptor.digest, config, layers }
}

/** The most images that an error lists. */
const maxListed = 20

/** The error for an index without an image for a platform. It lists the platforms, and images without one by digest. */
export function platformUnavailable(name: string, wanted: Platform, { manifests, odd }: Index): OciError {
  const offered = manifests.filter((entry) => !isAttestation(entry)).slice(0, maxListed)
  const platforms = offered.flatMap(({ platform }) => (platform === undefined ? [] : [formatPlatform(platform)]))
  const digests = offered.flatMap(({ platform, digest }) => (platform === undefined ? [digest] : []))
  const choices = [
    ...(platforms.length > 0 ? [`choose with --platform: ${[...new Set(platforms)].join(', ')}`] : []),
    ...(digests.length > 0 ? [`name one without a platform by its digest: ${digests.join(', ')}`] : []),
  ]
  const faults = odd.flatMap(({ problems }) => problems).map(({ pointer, message }) => `${pointer} ${message}`)
  const why = faults.length === 0 ? '' : `; entries of its index cannot be used: ${faults.join('; ')}`
  return new OciError('ERR_PLATFORM_UNAVAILABLE', `${name} has no image for ${formatPlatform(wanted)}${why}`, {
    hint: choices.length === 0 ? 'its index has no image' : choices.join('; or '),
  })
}

/**
 * Refuses an image for another platform than the requested one, also where there is no index to choose from. Where the image
 * itself does not say its platform, its entry in an index does.
 */
export function checkPlatform(
  config: ImageConfig,
  wanted: Platform,
  { name, entry }: { readonly name: string; readonly entry?: Descriptor | undefined },
): void {
  const own = imagePlatform(config) ?? entry?.platform
  if (rankPlatform(own, wanted) !== undefined) return
  const text = own === undefined ? 'does not say for which platform it is' : `is for ${formatPlatform(own)}`
  throw new OciError('ERR_PLATFORM_UNAVAILABLE', `${name} ${text}, and not for ${formatPlatform(wanted)}`, {
    hint: own === undefined ? 'leave out --platform if the image is for this host' : undefined,
  })
}
