import { OciError } from '../errors.ts'
import { choosePlatform, isAttestation, rankPlatform } from '../oci/choose-platform.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { checkLayerCount, type ImageConfig, imagePlatform, parseImageConfig } from '../oci/image-config.ts'
import { maxImageConfigBytes, maxManifestBytes } from '../oci/limits.ts'
import { type Manifest, parseManifest } from '../oci/manifest.ts'
import { formatPlatform, hostPlatform, type Platform } from '../oci/platform.ts'

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
      await checkSigned?.(document)
      const content = await read(parsed.config, 'image config', maxImageConfigBytes)
      const config = parseImageConfig(content, `image config ${parsed.config.digest} of ${name}`)
      checkLayerCount(parsed, config, name)
      if (platform !== undefined) checkPlatform(config, platform, name)
      return { manifest: parsed, config, documents, configDocument: { descriptor: parsed.config, content } }
    }
    const descriptor = chooseManifest(parsed.manifests, platform ?? defaultPlatform(), name)
    documents.push({ descriptor, content: await read(descriptor, 'manifest', maxManifestBytes) })
  }
  throw new OciError('ERR_MANIFEST_INVALID', `${name} has indexes within indexes, more than ${maxIndexDepth} deep`)
}

function chooseManifest(entries: readonly Descriptor[], wanted: Platform, name: string): Descriptor {
  const chosen = choosePlatform(entries, wanted)
  if (chosen !== undefined) return chosen
  const offered = entries.filter((entry) => !isAttestation(entry)).map(({ platform }) => platform)
  const list = offered.map((platform) => (platform === undefined ? 'one without a platform' : formatPlatform(platform)))
  throw new OciError('ERR_PLATFORM_UNAVAILABLE', `${name} has no image for ${formatPlatform(wanted)}`, {
    hint: list.length === 0 ? 'its index has no image' : `choose with --platform: ${[...new Set(list)].join(', ')}`,
  })
}

/** Refuses an image for another platform than the requested one, also where there is no index to choose from. */
function checkPlatform(config: ImageConfig, wanted: Platform, name: string): void {
  const own = imagePlatform(config)
  if (rankPlatform(own, wanted) !== undefined) return
  throw new OciError('ERR_PLATFORM_UNAVAILABLE', `${name} is for ${formatPlatform(own)}, not ${formatPlatform(wanted)}`)
}
