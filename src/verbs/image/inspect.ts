import { refuseArtifact } from '../../oci/artifact.ts'
import { choosePlatform, isAttestation } from '../../oci/choose-platform.ts'
import { type ImageConfig, parseImageConfig } from '../../oci/image-config.ts'
import { maxImageConfigBytes } from '../../oci/limits.ts'
import { type Index, type Manifest, parseManifest } from '../../oci/manifest.ts'
import { mediaKind } from '../../oci/media-types.ts'
import { formatPlatform, parsePlatform } from '../../oci/platform.ts'
import type { Content } from '../../source/content.ts'
import { chooseRoot } from '../../source/copy-content.ts'
import { type ContentOptions, openContent } from '../../source/places.ts'
import { type Document, defaultPlatform, maxIndexDepth } from '../../source/resolve-image.ts'
import { collectBlob } from '../../store/blob-file.ts'

export interface InspectOptions extends ContentOptions {
  /** `OS/ARCH[/VARIANT]`; default: this host's, and an image for one platform alone as it is. */
  readonly platform?: string | undefined
}

/** The description of an image, without its layers. */
export interface Inspection {
  readonly name: string
  /** Digest of what the name stands for: an index, or the manifest. */
  readonly digest: string
  readonly mediaType: string
  /** The platforms of an index without attestations; the image's own where there is no index. */
  readonly platforms: readonly string[]
  /** The manifest and the image config of the chosen platform; undefined when an index has none for it. */
  readonly image?: {
    readonly digest: string
    readonly platform: string
    readonly manifest: Omit<Manifest, 'kind'>
    readonly config: ImageConfig
    readonly layers: readonly { readonly digest: string; readonly size: number; readonly diffID: string | undefined }[]
    /** Bytes of all layers as they are stored. */
    readonly size: number
  }
}

/** Describes an image without fetching its layers. @param place as for `copy` @throws OciError as `copy` */
export async function inspect(place: string, options: InspectOptions = {}): Promise<Inspection> {
  const content = await openContent(place, options)
  try {
    const root = await content.root()
    const { digest, mediaType } = root.descriptor
    const parsed = parse(root, content.name)
    const document = parsed.kind === 'manifest' ? root : await chooseImage(parsed, content, options.platform)
    const image = document === undefined ? undefined : await inspectImage(document, content)
    const platforms =
      parsed.kind === 'index' ? await offered(parsed, content) : image === undefined ? [] : [image.platform]
    return { name: content.name, digest, mediaType, platforms, ...(image !== undefined && { image }) }
  } finally {
    await content.close()
  }
}

/** The bytes of the manifest or index that a name stands for, as they are. @throws OciError as `copy` */
export async function inspectRaw(place: string, options: ContentOptions = {}): Promise<Uint8Array> {
  const content = await openContent(place, options)
  try {
    return (await content.root()).content
  } finally {
    await content.close()
  }
}

/**
 * The bytes of the image config for a platform, as they are.
 *
 * @throws OciError as `copy`; `ERR_NOT_SUPPORTED` the name stands for an artifact
 */
export async function inspectConfig(place: string, options: InspectOptions = {}): Promise<Uint8Array> {
  const platform = options.platform === undefined ? undefined : parsePlatform(options.platform)
  const content = await openContent(place, options)
  try {
    const parsed = parse(await chooseRoot(content, { all: false, platform }), content.name)
    if (parsed.kind !== 'manifest') throw new Error('an image has a manifest')
    refuseArtifact(parsed, content.name)
    return await collectBlob(content.open(parsed.config), parsed.config, maxImageConfigBytes)
  } finally {
    await content.close()
  }
}

async function chooseImage(
  index: Index,
  content: Content,
  platform: string | undefined,
): Promise<Document | undefined> {
  const wanted = platform === undefined ? defaultPlatform() : parsePlatform(platform)
  const descriptor = choosePlatform(index.manifests, wanted)
  if (descriptor === undefined) return undefined
  const document = { descriptor, content: await content.readManifest(descriptor) }
  const parsed = parse(document, content.name)
  return parsed.kind === 'manifest' ? document : chooseImage(parsed, content, platform)
}

async function inspectImage(document: Document, content: Content): Promise<NonNullable<Inspection['image']>> {
  const parsed = parse(document, content.name)
  if (parsed.kind !== 'manifest') throw new Error('an image has a manifest')
  refuseArtifact(parsed, content.name)
  const { kind: _, ...manifest } = parsed
  const bytes = await collectBlob(content.open(manifest.config), manifest.config, maxImageConfigBytes)
  const config = parseImageConfig(bytes, `image config ${manifest.config.digest} of ${content.name}`)
  const layers = manifest.layers.map(({ digest, size }, position) => {
    return { digest, size, diffID: config.rootfs.diff_ids[position] }
  })
  return {
    digest: document.descriptor.digest,
    platform: formatPlatform(config),
    manifest,
    config,
    layers,
    size: layers.reduce((sum, layer) => sum + layer.size, 0),
  }
}

/** @param depth indexes that this one is within */
async function offered(index: Index, content: Content, depth = 0): Promise<string[]> {
  const platforms: string[] = []
  for (const entry of index.manifests.filter((entry) => !isAttestation(entry))) {
    const { platform, mediaType } = entry
    if (platform !== undefined) platforms.push(formatPlatform(platform))
    else if (mediaKind(mediaType) === 'index' && depth < maxIndexDepth) {
      const inner = parse({ descriptor: entry, content: await content.readManifest(entry) }, content.name)
      if (inner.kind === 'index') platforms.push(...(await offered(inner, content, depth + 1)))
    }
  }
  return [...new Set(platforms)]
}

const parse = ({ descriptor, content }: Document, name: string) =>
  parseManifest(content, { what: `manifest ${descriptor.digest} of ${name}`, mediaType: descriptor.mediaType })
