import { createHash } from 'node:crypto'
import { changeConfig } from '../../oci/change-config.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import { type Digest, digestOf } from '../../oci/digest.ts'
import { ociManifestType } from '../../oci/media-types.ts'
import type { BaseImage } from './base-image.ts'

/** A layer that an image is to have on top. */
export interface NewLayer {
  readonly blob: Descriptor
  readonly diffID: Digest
}

export interface Repacking {
  readonly layer: NewLayer | undefined
  /** Instructions of a Dockerfile. */
  readonly changes: readonly string[]
  readonly created: Date
  /** Default: that it was repacked. */
  readonly message: string | undefined
}

/** A document and what it is as a blob. */
export interface DocumentBlob {
  readonly blob: Descriptor
  readonly content: Buffer
}

/**
 * Manifest and image config of `base` with one more layer and other changes: everything else stays as it is, and without
 * any change so does every byte.
 *
 * @throws OciError `ERR_USAGE` an instruction that is none
 */
export function describeRepacked(
  base: BaseImage,
  { layer, changes, created, message = 'bundle-tool repack' }: Repacking,
): { readonly manifest: DocumentBlob; readonly config: DocumentBlob } {
  const { manifest, config, manifestContent, configContent } = base
  const manifestType = manifest.mediaType || ociManifestType
  if (layer === undefined && changes.length === 0) {
    return { manifest: blobOf(manifestType, manifestContent), config: blobOf(manifest.config.mediaType, configContent) }
  }
  const time = created.toISOString().replace('.000Z', 'Z')
  const entry = { created: time, created_by: message, ...(layer === undefined && { empty_layer: true }) }
  const [newLayers, newDiffIDs] = layer === undefined ? [[], []] : [[layer.blob], [layer.diffID]]
  const oldConfig = JSON.parse(configContent.toString('utf8'))
  const newConfig = jsonBlob(manifest.config.mediaType, {
    ...oldConfig,
    created: time,
    config: { ...oldConfig.config, ...changes.reduce(changeConfig, config.config ?? {}) },
    rootfs: { ...config.rootfs, diff_ids: [...config.rootfs.diff_ids, ...newDiffIDs] },
    history: [...(config.history ?? []), entry],
  })
  const newManifest = jsonBlob(manifestType, {
    ...JSON.parse(manifestContent.toString('utf8')),
    config: newConfig.blob,
    layers: [...manifest.layers, ...newLayers],
  })
  return { manifest: newManifest, config: newConfig }
}

const jsonBlob = (mediaType: string, value: unknown): DocumentBlob =>
  blobOf(mediaType, Buffer.from(JSON.stringify(value)))

function blobOf(mediaType: string, content: Buffer): DocumentBlob {
  const digest = digestOf('sha256', createHash('sha256').update(content).digest('hex'))
  return { blob: { mediaType, digest, size: content.length }, content }
}
