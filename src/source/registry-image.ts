import { OciError } from '../errors.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { imagePlatform } from '../oci/image-config.ts'
import { maxManifestBytes } from '../oci/limits.ts'
import { formatReference, type Reference } from '../oci/reference.ts'
import type { Signatures } from '../registry/access.ts'
import { checkBlobSize } from '../store/blob-file.ts'
import type { Ingest } from '../store/ingest.ts'
import type { Store } from '../store/store.ts'
import type { Fetcher } from './fetcher.ts'
import type { Image, Source } from './image.ts'
import type { LayerProgress } from './layer-progress.ts'
import { type Document, imageOf, type ResolvedImage, resolveImage } from './resolve-image.ts'
import { until } from './until.ts'

export interface RegistryImageOptions {
  readonly reference: Reference
  readonly fetcher: Fetcher
  readonly store: Store
  /** Refuses an image that lacks a required signature. */
  readonly signatures?: Signatures | undefined
  readonly onProgress?: ((progress: LayerProgress) => void) | undefined
}

/** A source that puts fetched blobs into the store. */
export interface RegistrySource extends Source {
  /** Resolves when every blob is durably in the store and the image is listed there under its name. */
  stored(): Promise<void>
}

/**
 * An image of a registry. Its layers are fetched into the store from the moment it is resolved, several at a time, and
 * can be read while they arrive. Blobs that the store has are not fetched. When a layer cannot be fetched, reading any
 * other one throws at once.
 *
 * `close` closes the fetcher, which ends running downloads; bytes that have arrived are kept for the next time.
 */
export function registryImage(options: RegistryImageOptions): RegistrySource {
  const { reference, fetcher, store } = options
  const name = formatReference(reference)
  let resolved: ResolvedImage | undefined
  let downloads: readonly Download[] = []
  return {
    async image(platform): Promise<Image> {
      const read = (blob: Descriptor, kind: 'manifest' | 'image config', limit: number) =>
        kind === 'manifest' ? readManifest(options, blob) : readSmall(options, blob, limit)
      const root = await fetchRoot(options)
      resolved = await resolveImage(root, {
        name,
        platform,
        read,
        checkSigned: (manifest) => checkSigned(manifest, options),
      })
      const started = startDownloads(resolved.manifest.layers, options)
      downloads = started
      return imageOf(resolved, name, (_, position) => (started[position] as Download).open())
    },
    async stored() {
      if (resolved === undefined) throw new Error('stored() was called before image()')
      await Promise.all(downloads.map(({ done }) => done))
      for (const { descriptor, content } of resolved.documents) await store.write(descriptor, content)
      const manifest = resolved.documents.at(-1)?.descriptor
      if (manifest !== undefined) await store.tag(name, { ...manifest, platform: imagePlatform(resolved.config) })
    },
    async close() {
      await fetcher.close()
      await Promise.allSettled(downloads.map(({ done }) => done))
    },
  }
}

/** Fetches the root document. A digest that the store has is read from there, without the registry. */
async function fetchRoot({ reference, fetcher, store }: RegistryImageOptions) {
  const { digest, tag = 'latest' } = reference
  if (digest === undefined) return fetcher.fetchManifest(tag)
  const known = await store.findDigest(digest)
  if (known === undefined) return fetcher.fetchManifest(digest)
  return { descriptor: known, content: await store.read(known, maxManifestBytes) }
}

async function readManifest({ fetcher, store }: RegistryImageOptions, blob: Descriptor): Promise<Uint8Array> {
  if (await store.has(blob)) return store.read(blob, maxManifestBytes)
  const { descriptor, content } = await fetcher.fetchManifest(blob.digest)
  if (descriptor.size === blob.size) return content
  throw new OciError('ERR_DIGEST_MISMATCH', `manifest ${blob.digest} has ${descriptor.size} of ${blob.size} bytes`)
}

async function readSmall({ fetcher, store }: RegistryImageOptions, blob: Descriptor, limit: number) {
  checkBlobSize(blob, limit)
  if (!(await store.has(blob))) await fetcher.download(blob).done
  return store.read(blob, limit)
}

async function checkSigned(manifest: Document, options: RegistryImageOptions): Promise<void> {
  await options.signatures?.(manifest, {
    fetchManifest: (tag) => options.fetcher.fetchManifest(tag),
    read: (blob, limit) => readSmall(options, blob, limit),
  })
}

interface Download {
  readonly layer: Descriptor
  readonly open: () => AsyncIterable<Uint8Array>
  readonly done: Promise<void>
}

function startDownloads(layers: readonly Descriptor[], options: RegistryImageOptions): Download[] {
  const failed = new AbortController()
  const byDigest = new Map<string, Download>()
  return layers.map((layer) => {
    const download = byDigest.get(layer.digest) ?? startDownload(layer, failed, options)
    byDigest.set(layer.digest, download)
    return download
  })
}

/** Starts to fetch a layer. A layer that an image has twice is read from the store the second time. */
function startDownload(
  layer: Descriptor,
  failed: AbortController,
  { fetcher, store, onProgress }: RegistryImageOptions,
): Download {
  let isRead = false
  const begun = begin()

  async function begin(): Promise<Ingest> {
    if (await store.has(layer)) {
      onProgress?.({ layer, bytes: layer.size, isCached: true })
      return { content: () => store.open(layer), done: Promise.resolve() }
    }
    return fetcher.download(layer, (bytes) => onProgress?.({ layer, bytes, isCached: false }))
  }

  const done = begun.then((ingest) => ingest.done)
  done.catch((error: unknown) => failed.abort(error))

  async function* open(): AsyncGenerator<Uint8Array> {
    if (isRead) await done
    const content = isRead ? store.open(layer) : (await begun).content()
    isRead = true
    yield* until(failed.signal, content)
  }
  return { layer, open, done }
}
