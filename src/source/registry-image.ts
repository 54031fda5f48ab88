import pLimit from 'p-limit'
import { OciError } from '../errors.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { maxManifestBytes } from '../oci/manifest.ts'
import { mediaKind } from '../oci/media-types.ts'
import { formatReference, type Reference } from '../oci/reference.ts'
import type { Repository } from '../registry/repository.ts'
import { collectBlob } from '../store/blob-file.ts'
import type { Store } from '../store/store.ts'
import type { Image, ImageLayer, Source } from './image.ts'
import { type ResolvedImage, resolveImage } from './resolve-image.ts'

/** Layers that are downloaded at the same time. */
const parallelLayers = 4

/** How far one layer has come. */
export interface LayerProgress {
  readonly layer: Descriptor
  /** Bytes that are there, of `layer.size`. */
  readonly bytes: number
  /** Whether the layer was in the store before. */
  readonly isCached: boolean
}

export interface RegistryImageOptions {
  readonly reference: Reference
  readonly repository: Repository
  readonly store: Store
  readonly onProgress?: ((progress: LayerProgress) => void) | undefined
}

/** A source that puts what it fetches into the store. */
export interface RegistrySource extends Source {
  /** Resolves when every blob is in the store for good and the image is listed there under its name. */
  stored(): Promise<void>
}

/**
 * An image of a registry. Its layers are fetched into the store from the moment it is resolved, several at a time, and
 * can be read while they arrive. Blobs that the store has are not fetched.
 *
 * `close` closes the repository, which ends what is still being fetched; what has arrived is kept for the next time.
 */
export function registryImage(options: RegistryImageOptions): RegistrySource {
  const { reference, repository, store } = options
  const name = formatReference(reference)
  let resolved: ResolvedImage | undefined
  let downloads: readonly Download[] = []
  return {
    async image(platform): Promise<Image> {
      const read = (blob: Descriptor, kind: 'manifest' | 'image config', limit: number) =>
        kind === 'manifest' ? readManifest(options, blob) : readSmall(options, blob, limit)
      const root = await fetchRoot(options)
      resolved = await resolveImage(root, { name, platform, read })
      const { manifest, config, documents } = resolved
      manifest.layers.forEach(refuseUnknown)
      downloads = startDownloads(manifest.layers, options)
      const layers = downloads.map(({ layer, open }, position): ImageLayer => {
        return { name: layer.digest, diffID: config.rootfs.diff_ids[position], size: layer.size, open }
      })
      return { name, digest: documents.at(-1)?.descriptor.digest, config, layers }
    },
    async stored() {
      if (resolved === undefined) throw new Error('the image has not been asked for')
      await Promise.all(downloads.map(({ done }) => done))
      for (const { descriptor, content } of resolved.documents) await store.write(descriptor, content)
      const manifest = resolved.documents.at(-1)?.descriptor
      const { os, architecture, variant } = resolved.config
      const platform = { os, architecture, ...(variant !== undefined && { variant }) }
      if (manifest !== undefined) await store.tag(name, { ...manifest, platform })
    },
    async close() {
      await repository.close()
      await Promise.allSettled(downloads.map(({ done }) => done))
    },
  }
}

/** A digest that the store has answers without the registry. */
async function fetchRoot({ reference, repository, store }: RegistryImageOptions) {
  const { digest, tag = 'latest' } = reference
  if (digest === undefined) return repository.fetchManifest(tag)
  const known = await store.findDigest(digest)
  if (known === undefined) return repository.fetchManifest(digest)
  return { descriptor: known, content: await store.read(known, maxManifestBytes) }
}

async function readManifest({ repository, store }: RegistryImageOptions, blob: Descriptor): Promise<Uint8Array> {
  if (await store.has(blob)) return store.read(blob, maxManifestBytes)
  const { descriptor, content } = await repository.fetchManifest(blob.digest)
  if (descriptor.size === blob.size) return content
  throw new OciError('ERR_DIGEST_MISMATCH', `manifest ${blob.digest} has ${descriptor.size} of ${blob.size} bytes`)
}

async function readSmall(
  { repository, store }: RegistryImageOptions,
  blob: Descriptor,
  limit: number,
): Promise<Uint8Array> {
  if (await store.has(blob)) return store.read(blob, limit)
  if (blob.size > limit) return collectBlob(repository.fetchBlob(blob), blob, limit)
  await store.ingest(blob, (from) => repository.fetchBlob(blob, from)).done
  return store.read(blob, limit)
}

function refuseUnknown({ mediaType, digest }: Descriptor): void {
  if (mediaKind(mediaType) !== 'layer') {
    throw new OciError(
      'ERR_NOT_SUPPORTED',
      `layer ${digest} is of the media type "${mediaType}", which is no layer of files`,
    )
  }
}

interface Download {
  readonly layer: Descriptor
  readonly open: () => AsyncIterable<Uint8Array>
  readonly done: Promise<void>
}

function startDownloads(layers: readonly Descriptor[], options: RegistryImageOptions): Download[] {
  const limit = pLimit(parallelLayers)
  const byDigest = new Map<string, Download>()
  return layers.map((layer) => {
    const download = byDigest.get(layer.digest) ?? startDownload(layer, limit, options)
    byDigest.set(layer.digest, download)
    return download
  })
}

/** Begins one layer when its turn has come; a layer that an image has twice is read from the store the second time. */
function startDownload(
  layer: Descriptor,
  limit: <T>(task: () => Promise<T>) => Promise<T>,
  { repository, store, onProgress }: RegistryImageOptions,
): Download {
  let isRead = false
  let begin = (_content: () => AsyncIterable<Uint8Array>) => {}
  const begun = new Promise<() => AsyncIterable<Uint8Array>>((resolve) => {
    begin = resolve
  })
  const done = limit(async () => {
    if (await store.has(layer)) {
      onProgress?.({ layer, bytes: layer.size, isCached: true })
      return begin(() => store.open(layer))
    }
    const report = (bytes: number) => onProgress?.({ layer, bytes, isCached: false })
    const ingest = store.ingest(layer, (from) => repository.fetchBlob(layer, from), report)
    begin(() => ingest.content())
    await ingest.done
  })
  done.catch(() => {})
  async function* open(): AsyncGenerator<Uint8Array> {
    if (isRead) {
      await done
      return yield* store.open(layer)
    }
    isRead = true
    const content = await Promise.race([begun, done.then(() => begun)])
    yield* content()
  }
  return { layer, open, done }
}
