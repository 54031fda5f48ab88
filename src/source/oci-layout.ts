import { stat } from 'node:fs/promises'
import { leadsNowhere, OciError } from '../errors.ts'
import { isAttestation } from '../oci/choose-platform.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { type Digest, isDigest } from '../oci/digest.ts'
import { maxManifestBytes } from '../oci/limits.ts'
import { type Index, parseManifest } from '../oci/manifest.ts'
import { mediaKind } from '../oci/media-types.ts'
import type { Platform } from '../oci/platform.ts'
import { blobPath, collectBlob, missingBlob, openBlobFile, verified } from '../store/blob-file.ts'
import { checkLayoutVersion, parseLayoutIndex, readLayoutIndex, refNameAnnotation } from '../store/layout.ts'
import type { Content } from './content.ts'
import type { Image, Source } from './image.ts'
import { imageOf, maxIndexDepth, resolveImage } from './resolve-image.ts'
import type { TarIndex } from './tar-index.ts'

/** An OCI image layout, in a directory or in an archive. */
interface Layout {
  readonly name: string
  readIndex(): Promise<Index>
  /** A blob's bytes, verified. */
  open(blob: Descriptor): AsyncIterable<Uint8Array>
}

/** The source `oci:DIR[:TAG]`. Its `image` throws OciError `ERR_SOURCE_INVALID` when the directory is not a layout. */
export function openOciLayout(directory: string, tag?: string): Source {
  const layout = directoryLayout(directory)
  return { image: (platform) => layoutImage(layout, { tag, platform }), close: async () => {} }
}

/** The content of `oci:DIR[:TAG]`: documents and blobs as stored. */
export function ociLayoutContent(directory: string, tag?: string): Content {
  return layoutContent(directoryLayout(directory), tag, async () => {})
}

/** The content of `oci-archive:F[:TAG]`: documents and blobs as stored. */
export function ociArchiveContent(tar: TarIndex, tag?: string): Content {
  return layoutContent(archiveLayout(tar), tag, () => tar.close())
}

function directoryLayout(directory: string): Layout {
  const open = (blob: Descriptor) => openBlobFile(directory, blob)
  return { name: directory, readIndex: () => readLayoutIndex(directory), open }
}

function layoutContent(layout: Layout, tag: string | undefined, close: () => Promise<void>): Content {
  const read = (blob: Descriptor) => collectBlob(layout.open(blob), blob, maxManifestBytes)
  return {
    name: tag === undefined ? layout.name : `${layout.name}:${tag}`,
    async root() {
      const { annotations: _, ...descriptor } = await chooseEntry(layout, tag)
      return { descriptor, content: await read(descriptor) }
    },
    readManifest: read,
    async referrers(subject) {
      const { manifests } = await layout.readIndex()
      const found: Descriptor[] = []
      for (const entry of manifests) {
        const what = `manifest ${entry.digest} of ${layout.name}`
        const parsed = parseManifest(await read(entry), { what, mediaType: entry.mediaType })
        if (parsed.subject?.digest === subject.digest) found.push(entry)
      }
      return found
    },
    async tagged(tag) {
      const { manifests } = await layout.readIndex()
      const entry = manifests.find((candidate) => namesOf(candidate).includes(tag))
      return entry && { descriptor: entry, content: await read(entry) }
    },
    names: async () => callNames(imagesOf(await layout.readIndex())),
    open: layout.open,
    close,
  }
}

/** The source `oci-archive:F[:TAG]`, a layout in a tar archive. Closing the source closes `tar`. */
export function ociArchive(tar: TarIndex, tag?: string): Source {
  const layout = archiveLayout(tar)
  return { image: (platform) => layoutImage(layout, { tag, platform }), close: () => tar.close() }
}

function archiveLayout(tar: TarIndex): Layout {
  return {
    name: tar.path,
    async readIndex() {
      checkLayoutVersion(await tar.read('oci-layout', 4096), tar.path)
      return parseLayoutIndex(await tar.read('index.json', maxManifestBytes), `index.json of ${tar.path}`)
    },
    open(blob) {
      const member = tar.find(blobPath('', blob.digest))
      if (member === undefined) throw missingBlob(blob, tar.path)
      return verified(tar.open(member), blob)
    },
  }
}

async function layoutImage(
  layout: Layout,
  { tag, platform }: { readonly tag: string | undefined; readonly platform: Platform | undefined },
): Promise<Image> {
  const name = tag === undefined ? layout.name : `${layout.name}:${tag}`
  const read = (blob: Descriptor, _kind: string, limit: number) => collectBlob(layout.open(blob), blob, limit)
  const descriptor = await chooseEntry(layout, tag)
  const root = { descriptor, content: await read(descriptor, 'manifest', maxManifestBytes) }
  return imageOf(await resolveImage(root, { name, platform, read }), name, layout.open)
}

/**
 * The manifest or index in a layout that a tag names, or its digest, or `@N`, its number in the layout's index; without any,
 * the only image. A digest may be one within an index of the layout.
 */
async function chooseEntry(layout: Layout, tag: string | undefined): Promise<Descriptor> {
  const index = await layout.readIndex()
  const digest = tag?.replace(/^@/, '') ?? ''
  const images = imagesOf(index)
  const found = isDigest(digest)
    ? await findDigest(layout, index, digest)
    : tag === undefined
      ? images.length === 1 && images[0]?.entry
      : images.find(({ entry, number }) => tag === `@${number}` || namesOf(entry).includes(tag))?.entry
  if (found) return found
  const names = [...new Set(callNames(images))].slice(0, 20)
  const what = tag === undefined ? `${layout.name} has ${images.length} images` : `${layout.name} has no image "${tag}"`
  throw new OciError('ERR_IMAGE_NOT_FOUND', what, {
    hint: names.length === 0 ? undefined : `choose one of: ${names.join(', ')}`,
  })
}

interface NumberedEntry {
  readonly number: number
  readonly entry: Descriptor
}

/** The images of a layout without attestations, artifacts and what cosign attaches, unless it has nothing else; numbered as all its entries are. */
function imagesOf({ manifests }: Index): readonly NumberedEntry[] {
  const entries = manifests.map((entry, number) => ({ number, entry })).filter(({ entry }) => !isAttestation(entry))
  const isAttached = (entry: Descriptor) => namesOf(entry).some((name) => /^sha(?:256|512)-[0-9a-f]{64}/.test(name))
  const images = entries.filter(({ entry }) => entry.artifactType === undefined && !isAttached(entry))
  return images.length > 0 ? images : entries
}

/** How each image is called: by its name, or `@N` where it has none. */
const callNames = (images: readonly NumberedEntry[]): string[] =>
  images.map(({ number, entry }) => namesOf(entry)[0] ?? `@${number}`)

/** Finds an entry of an index, or of the indexes within it, by its digest. */
async function findDigest(
  layout: Layout,
  { manifests }: Index,
  digest: Digest,
  depth = 0,
): Promise<Descriptor | undefined> {
  const found = manifests.find((entry) => entry.digest === digest)
  if (found !== undefined || depth === maxIndexDepth) return found
  for (const entry of manifests.filter(({ mediaType }) => mediaKind(mediaType) === 'index')) {
    const content = await collectBlob(layout.open(entry), entry, maxManifestBytes)
    const what = `manifest ${entry.digest} of ${layout.name}`
    const inner = parseManifest(content, { what, mediaType: entry.mediaType })
    const below = inner.kind === 'index' ? await findDigest(layout, inner, digest, depth + 1) : undefined
    if (below !== undefined) return below
  }
  return undefined
}

/** The names of an entry: its tag, and the full name that containerd and docker add. */
function namesOf({ annotations = {} }: Descriptor): string[] {
  return [annotations[refNameAnnotation], annotations['io.containerd.image.name']].filter((name) => name !== undefined)
}

/** True when a directory has the file `oci-layout`, which marks an image layout. */
export async function isOciLayout(directory: string): Promise<boolean> {
  try {
    return (await stat(`${directory}/oci-layout`)).isFile()
  } catch (error) {
    if (leadsNowhere(error)) return false
    throw error
  }
}
