import { OciError } from '../errors.ts'
import type { Manifest } from './manifest.ts'
import { bareMediaType, mediaKind } from './media-types.ts'

/**
 * Media types of image configs that Docker accepts beside the right ones, since registries once stored them so.
 * @see moby daemon/internal/distribution "ImageTypes"
 */
const oldConfigTypes: readonly string[] = ['application/octet-stream', 'application/json', 'text/html']

/** True when a manifest is that of an image, by the media type of its config. */
export function isImage({ config }: Pick<Manifest, 'config'>): boolean {
  return mediaKind(config.mediaType) === 'image-config' || oldConfigTypes.includes(bareMediaType(config.mediaType))
}

/** True when all layers of a manifest are file systems. */
export function hasFileSystem({ layers }: Pick<Manifest, 'layers'>): boolean {
  return layers.every(({ mediaType }) => mediaKind(mediaType) === 'layer')
}

/**
 * Refuses an artifact that is no image: a Helm chart, a signature, what ORAS has pushed.
 * @throws OciError `ERR_NOT_SUPPORTED`
 */
export function refuseArtifact(manifest: Manifest, name: string): void {
  if (isImage(manifest)) return
  const { artifactType, config } = manifest
  throw new OciError(
    'ERR_NOT_SUPPORTED',
    `${name} is an artifact of the type "${artifactType ?? config.mediaType}" and not an image`,
    {
      hint: 'fetch it with the tool that it is for; "bundle-tool copy" copies it, "bundle-tool inspect --raw" shows its manifest',
    },
  )
}

/** Refuses an image with something other than file systems among its layers. @throws OciError `ERR_NOT_SUPPORTED` */
export function refuseOtherLayers({ layers }: Manifest, name: string): void {
  const other = layers.find(({ mediaType }) => mediaKind(mediaType) !== 'layer')
  if (other === undefined) return
  throw new OciError(
    'ERR_NOT_SUPPORTED',
    `layer ${other.digest} of ${name} has the media type "${other.mediaType}", which is not a file system layer`,
    {
      hint: 'if it is an artifact, fetch it with the tool that it is for; encrypted layers have to be decrypted before',
    },
  )
}
