import { stat } from 'node:fs/promises'
import { leadsNowhere, OciError } from '../errors.ts'
import { isAttestation } from '../oci/choose-platform.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { maxManifestBytes } from '../oci/limits.ts'
import type { Index } from '../oci/manifest.ts'
import type { Platform } from '../oci/platform.ts'
import { blobPath, collectBlob, missingBlob, openBlobFile, verified } from '../store/blob-file.ts'
import { checkLayoutVersion, parseLayoutIndex, readLayoutIndex, refNameAnnotation } from '../store/layout.ts'
import type { Content } from './content.ts'
import type { Image, Source } from './image.ts'
import { resolveImage } from './resolve-image.ts'
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
      const { manifests } = await layout.readIndex()
      const { annotations: _, ...descriptor } = chooseEntry(manifests, tag, layout.name)
      return { descriptor, content: await read(descriptor) }
    },
    readManifest: read,
    names: async () => (await layout.readIndex()).manifests.flatMap((entry) => namesOf(entry).slice(0, 1)),
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
  const index = await layout.readIndex()
  const name = tag === undefined ? layout.name : `${layout.name}:${tag}`
  const read = (blob: Descriptor, _kind: string, limit: number) => collectBlob(layout.open(blob), blob, limit)
  const descriptor = chooseEntry(index.manifests, tag, layout.name)
  const root = { descriptor, content: await read(descriptor, 'manifest', maxManifestBytes) }
  const { manifest, config, documents } = await resolveImage(root, { name, platform, read })
  const layers = manifest.layers.map((layer, position) => ({
    name: layer.digest,
    diffID: config.rootfs.diff_ids[position],
    size: layer.size,
    open: () => layout.open(layer),
  }))
  return { name, digest: documents.at(-1)?.descriptor.digest, config, layers }
}

/** The entry of a layout's index that a tag names; without one, the only entry. */
function chooseEntry(all: readonly Descriptor[], tag: string | undefined, where: string): Descriptor {
  const entries = all.filter((entry) => !isAttestation(entry))
  const named = tag === undefined ? entries : entries.filter((entry) => namesOf(entry).includes(tag))
  const [first] = named
  if (first !== undefined && (tag !== undefined || named.length === 1)) return first
  const names = [...new Set(entries.flatMap((entry) => namesOf(entry).slice(0, 1)))]
  const what = tag === undefined ? `${where} has ${entries.length} images` : `${where} has no image "${tag}"`
  throw new OciError('ERR_IMAGE_NOT_FOUND', what, {
    hint: names.length === 0 ? 'none of its images has a name' : `choose one of: ${names.slice(0, 20).join(', ')}`,
  })
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
