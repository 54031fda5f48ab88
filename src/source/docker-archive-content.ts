import { createHash } from 'node:crypto'
import { OciError } from '../errors.ts'
import { compressionOf, magicBytes } from '../layer/decompress.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { digestOf } from '../oci/digest.ts'
import { maxManifestBytes } from '../oci/limits.ts'
import { parseManifest } from '../oci/manifest.ts'
import {
  mediaKind,
  ociGzipLayerType,
  ociImageConfigType,
  ociLayerType,
  ociManifestType,
  ociZstdLayerType,
} from '../oci/media-types.ts'
import { blobPath, verified } from '../store/blob-file.ts'
import { parseLayoutIndex } from '../store/layout.ts'
import type { Content } from './content.ts'
import { archiveNames, readConfig, readDockerArchive } from './docker-archive.ts'
import type { Document } from './resolve-image.ts'
import type { TarIndex, TarMember } from './tar-index.ts'

/**
 * The content of an image in an archive of `docker save`. When the archive is an image layout as well, its manifest is
 * used. Otherwise a manifest is made, the same for the same archive; each layer is read to compute its digest.
 * @param warn called as by `readConfig`
 */
export function dockerArchiveContent(tar: TarIndex, wanted?: string, warn?: (message: string) => void): Content {
  const blobs = new Map<string, () => AsyncIterable<Uint8Array>>()
  let made: Promise<Document> | undefined

  async function makeRoot(): Promise<Document> {
    const { entry, layers } = await readDockerArchive(tar, wanted)
    const config = await readConfig(tar, entry, warn)
    const known = await findManifest(tar, describe(config, ociImageConfigType))
    if (known !== undefined) return known
    const described: Descriptor[] = []
    for (const layer of layers) described.push(await describeLayer(tar, layer))
    layers.forEach((layer, index) => {
      const blob = described[index]
      if (blob !== undefined) blobs.set(blob.digest, () => tar.open(layer))
    })
    const configBlob = describe(config, ociImageConfigType)
    blobs.set(configBlob.digest, async function* () {
      yield config
    })
    const manifest = { schemaVersion: 2, mediaType: ociManifestType, config: configBlob, layers: described }
    const content = Buffer.from(JSON.stringify(manifest))
    return { descriptor: describe(content, ociManifestType), content }
  }

  return {
    name: wanted === undefined ? tar.path : `${tar.path}:${wanted}`,
    root() {
      made ??= makeRoot()
      return made
    },
    names: () => archiveNames(tar),
    readManifest: async ({ digest }) => {
      throw new OciError('ERR_IMAGE_NOT_FOUND', `${tar.path} has no manifest ${digest}`)
    },
    open(blob) {
      const member = tar.find(blobPath('', blob.digest))
      const open = blobs.get(blob.digest) ?? (member === undefined ? undefined : () => tar.open(member))
      if (open === undefined) throw new OciError('ERR_IMAGE_NOT_FOUND', `${tar.path} has no blob ${blob.digest}`)
      return verified(open(), blob)
    },
    close: () => tar.close(),
  }
}

/** The manifest of an image config in the layout that newer versions of docker write beside `manifest.json`. */
async function findManifest(tar: TarIndex, config: Descriptor): Promise<Document | undefined> {
  if (tar.find('index.json') === undefined) return undefined
  const { manifests } = parseLayoutIndex(await tar.read('index.json', maxManifestBytes), `index.json of ${tar.path}`)
  for (const { annotations: _, ...descriptor } of manifests) {
    const member = blobPath('', descriptor.digest)
    if (mediaKind(descriptor.mediaType) !== 'manifest' || tar.find(member) === undefined) continue
    const content = await tar.read(member, maxManifestBytes)
    if (describe(content, '').digest !== descriptor.digest) continue
    const what = `manifest ${descriptor.digest} of ${tar.path}`
    const manifest = parseManifest(content, { what, mediaType: descriptor.mediaType })
    if (manifest.kind === 'manifest' && manifest.config.digest === config.digest) return { descriptor, content }
  }
  return undefined
}

function describe(content: Uint8Array, mediaType: string): Descriptor {
  const digest = digestOf('sha256', createHash('sha256').update(content).digest('hex'))
  return { mediaType, digest, size: content.byteLength }
}

async function describeLayer(tar: TarIndex, member: TarMember): Promise<Descriptor> {
  const hash = createHash('sha256')
  let start: Uint8Array | undefined
  for await (const chunk of tar.open(member)) {
    start ??= chunk.slice(0, magicBytes)
    hash.update(chunk)
  }
  const types = {
    none: ociLayerType,
    gzip: ociGzipLayerType,
    zstd: ociZstdLayerType,
    xz: ociLayerType,
    bzip2: ociLayerType,
  }
  const mediaType = types[compressionOf(start ?? new Uint8Array())]
  return { mediaType, digest: digestOf('sha256', hash.digest('hex')), size: member.size }
}
