import pLimit from 'p-limit'
import { OciError } from '../errors.ts'
import { hasFileSystem, isImage, refuseArtifact } from '../oci/artifact.ts'
import { choosePlatform } from '../oci/choose-platform.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { checkLayerCount, parseImageConfig } from '../oci/image-config.ts'
import { maxImageConfigBytes } from '../oci/limits.ts'
import { type Manifest, parseManifest, unusableEntries } from '../oci/manifest.ts'
import { isForeignLayer } from '../oci/media-types.ts'
import type { Platform } from '../oci/platform.ts'
import { collectBlob } from '../store/blob-file.ts'
import type { Content, Target } from './content.ts'
import { copyReferrers } from './copy-referrers.ts'
import { counted } from './counted.ts'
import { type Document, defaultPlatform, maxIndexDepth, platformUnavailable } from './resolve-image.ts'

/** Number of blobs copied at the same time. */
const parallelBlobs = 4
/** The most manifests of one index, including those of nested indexes. */
const maxManifests = 10_000

export interface CopyContentOptions {
  /** True to copy an index with all its images instead of the image for one platform. */
  readonly all: boolean
  readonly platform?: Platform | undefined
  /** True to copy non-distributable layers too. Default: only to a target that needs every layer. */
  readonly foreignLayers?: boolean | undefined
  /** True to copy what refers to each manifest too, and the tags of cosign for it. Default: the image alone. */
  readonly referrers?: boolean | undefined
  readonly signal?: AbortSignal | undefined
  /** Called about layers that are left out. */
  readonly warn?: ((message: string) => void) | undefined
  /**
   * Called with the number of bytes of a blob read for the target, which starts again when the target repeats an
   * upload.
   */
  readonly onProgress?: ((progress: { readonly blob: Descriptor; readonly bytes: number }) => void) | undefined
  /** Called when a blob is at its target. */
  readonly onBlob?: ((copied: { readonly blob: Descriptor; readonly wasThere: boolean }) => void) | undefined
}

/**
 * Copies `content` to a target byte for byte: digests are preserved, and blobs that the target has are not read.
 * Non-distributable layers are left out unless requested; their descriptors stay in the manifest.
 *
 * @returns the root that was written: an index with `all`, else one image's manifest
 */
export async function copyContent(content: Content, target: Target, options: CopyContentOptions): Promise<Descriptor> {
  const root = await chooseRoot(content, options)
  const limit = pLimit(parallelBlobs)
  const copies = new Map<string, Promise<void>>()
  const configs = new Map<string, Uint8Array>()
  const copied: Document[] = []

  async function copyBlob(blob: Descriptor): Promise<void> {
    options.signal?.throwIfAborted()
    const wasThere = await target.has(blob)
    if (!wasThere)
      await target.writeBlob(blob, () => counted(open(blob), (bytes) => options.onProgress?.({ blob, bytes })))
    options.onBlob?.({ blob, wasThere })
  }

  const start = (blob: Descriptor): Promise<void> => {
    const copy = copies.get(blob.digest) ?? limit(() => copyBlob(blob))
    copies.set(blob.digest, copy)
    return copy
  }

  let manifests = 0
  async function copyBelow(document: Document, depth: number): Promise<void> {
    manifests += 1
    if (depth > maxIndexDepth || manifests > maxManifests) {
      throw new OciError('ERR_LIMIT_EXCEEDED', `${content.name} has too many indexes or manifests within each other`)
    }
    const parsed = parse(document, content.name)
    copied.push(document)
    if (parsed.kind === 'manifest') {
      await content.checkSigned?.(document)
      await checkImage(parsed)
      return copyBlobs(parsed)
    }
    if (!target.takesIndex) {
      throw new OciError('ERR_NOT_SUPPORTED', `${target.name} takes one image, but ${content.name} has several`, {
        hint: 'leave out --all, or write an OCI archive',
      })
    }
    if (parsed.odd.length > 0) {
      throw unusableEntries(parsed.odd, { what: `the index ${content.name}`, code: 'ERR_MANIFEST_INVALID' })
    }
    for (const descriptor of parsed.manifests) {
      const child = { descriptor, content: await content.readManifest(descriptor) }
      await copyBelow(child, depth + 1)
      await target.writeManifest(child)
    }
  }

  /** Refuses an image that could not be unpacked: where it is copied to, that would be found out too late. */
  async function checkImage(manifest: Manifest): Promise<void> {
    if (target.needsLayers) refuseArtifact(manifest, content.name)
    if (!isImage(manifest) || !hasFileSystem(manifest)) return
    const { config } = manifest
    const bytes = await collectBlob(content.open(config), config, maxImageConfigBytes)
    configs.set(config.digest, bytes)
    checkLayerCount(manifest, parseImageConfig(bytes, `image config ${config.digest} of ${content.name}`), content.name)
  }

  function open(blob: Descriptor): AsyncIterable<Uint8Array> {
    const known = configs.get(blob.digest)
    return known === undefined ? content.open(blob) : once(known)
  }

  async function copyBlobs({ config, layers }: Manifest): Promise<void> {
    const wanted = layers.filter((layer) => options.foreignLayers || target.needsLayers || !isForeignLayer(layer))
    for (const { digest } of layers.filter((layer) => !wanted.includes(layer))) {
      options.warn?.(`layer ${digest} is non-distributable and left out; --foreign-layers copies it too`)
    }
    const done = await Promise.allSettled([config, ...wanted].map(start))
    const failure = done.find((result) => result.status === 'rejected')
    if (failure !== undefined) throw failure.reason
  }

  await copyBelow(root, 0)
  if (options.referrers) {
    await copyReferrers({ content, target }, copied, async (document) => {
      manifests += 1
      if (manifests > maxManifests) throw new OciError('ERR_LIMIT_EXCEEDED', `${content.name} has too many referrers`)
      const parsed = parse(document, content.name)
      if (parsed.kind === 'manifest') await copyBlobs(parsed)
      else await copyBelow(document, 1)
    })
  }
  options.signal?.throwIfAborted()
  await target.finish(root)
  return root.descriptor
}

/**
 * The document to copy: with `all` the root, else the manifest for a platform.
 * @throws OciError `ERR_PLATFORM_UNAVAILABLE`, `ERR_MANIFEST_INVALID`; and as `content`
 */
export async function chooseRoot(
  content: Content,
  { all, platform }: Pick<CopyContentOptions, 'all' | 'platform'>,
): Promise<Document> {
  let document = await content.root()
  if (all) return document
  for (let depth = 0; depth <= maxIndexDepth; depth++) {
    const parsed = parse(document, content.name)
    if (parsed.kind === 'manifest') return document
    const wanted = platform ?? defaultPlatform()
    const descriptor = choosePlatform(parsed.manifests, wanted)
    if (descriptor === undefined) {
      const { code, message, hint } = platformUnavailable(content.name, wanted, parsed)
      throw new OciError(code, message, { hint: `${hint}; or copy --all` })
    }
    document = { descriptor, content: await content.readManifest(descriptor) }
  }
  throw new OciError(
    'ERR_MANIFEST_INVALID',
    `${content.name} has indexes within indexes, more than ${maxIndexDepth} deep`,
  )
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

const parse = ({ descriptor, content }: Document, name: string) =>
  parseManifest(content, { what: `manifest ${descriptor.digest} of ${name}`, mediaType: descriptor.mediaType })
