/** The kind of a document or blob with a known media type. */
export type MediaKind = 'manifest' | 'index' | 'image-config' | 'layer' | 'schema1'

interface MediaTypeFacts {
  readonly kind: MediaKind
  /** The declared compression of a layer; its bytes decide. */
  readonly compression?: 'gzip' | 'zstd'
  /** Set for a layer that may not be redistributed, and may be missing in the registry. */
  readonly foreign?: true
}

/**
 * All media types that are supported.
 *
 * @see image-spec v1.1.1 media-types.md; distribution manifest-v2-2.md "Media Types"
 */
export const mediaTypes: Readonly<Record<string, MediaTypeFacts>> = {
  'application/vnd.oci.image.manifest.v1+json': { kind: 'manifest' },
  'application/vnd.oci.image.index.v1+json': { kind: 'index' },
  'application/vnd.oci.image.config.v1+json': { kind: 'image-config' },
  'application/vnd.oci.image.layer.v1.tar': { kind: 'layer' },
  'application/vnd.oci.image.layer.v1.tar+gzip': { kind: 'layer', compression: 'gzip' },
  'application/vnd.oci.image.layer.v1.tar+zstd': { kind: 'layer', compression: 'zstd' },
  'application/vnd.oci.image.layer.nondistributable.v1.tar': { kind: 'layer', foreign: true },
  'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip': { kind: 'layer', compression: 'gzip', foreign: true },
  'application/vnd.oci.image.layer.nondistributable.v1.tar+zstd': { kind: 'layer', compression: 'zstd', foreign: true },
  'application/vnd.docker.distribution.manifest.v2+json': { kind: 'manifest' },
  'application/vnd.docker.distribution.manifest.list.v2+json': { kind: 'index' },
  'application/vnd.docker.container.image.v1+json': { kind: 'image-config' },
  'application/vnd.docker.image.rootfs.diff.tar': { kind: 'layer' },
  'application/vnd.docker.image.rootfs.diff.tar.gzip': { kind: 'layer', compression: 'gzip' },
  'application/vnd.docker.image.rootfs.diff.tar.zstd': { kind: 'layer', compression: 'zstd' },
  'application/vnd.docker.image.rootfs.foreign.diff.tar': { kind: 'layer', foreign: true },
  'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip': { kind: 'layer', compression: 'gzip', foreign: true },
  'application/vnd.docker.distribution.manifest.v1+json': { kind: 'schema1' },
  'application/vnd.docker.distribution.manifest.v1+prettyjws': { kind: 'schema1' },
}

export const ociManifestType = 'application/vnd.oci.image.manifest.v1+json'
export const ociIndexType = 'application/vnd.oci.image.index.v1+json'
export const ociImageConfigType = 'application/vnd.oci.image.config.v1+json'
export const ociLayerType = 'application/vnd.oci.image.layer.v1.tar'
export const ociZstdLayerType = 'application/vnd.oci.image.layer.v1.tar+zstd'
export const ociGzipLayerType = 'application/vnd.oci.image.layer.v1.tar+gzip'

/** The media types for the Accept header when a reference is resolved: all manifests and indexes of the table. */
export const acceptedManifestTypes: readonly string[] = Object.entries(mediaTypes)
  .filter(([, { kind }]) => kind === 'manifest' || kind === 'index')
  .map(([name]) => name)

/** The kind of a media type; undefined if it is unknown. Parameters (`; charset=`) are ignored. */
export function mediaKind(mediaType: string): MediaKind | undefined {
  const name = bareMediaType(mediaType)
  return Object.hasOwn(mediaTypes, name) ? mediaTypes[name]?.kind : undefined
}

/** True when a layer may be missing in registries, and available only from its `urls`. */
export const isForeignLayer = ({ mediaType }: { readonly mediaType: string }): boolean =>
  mediaTypes[bareMediaType(mediaType)]?.foreign === true

/** A media type or Content-Type without its parameters, in lower case. */
export const bareMediaType = (contentType: string): string => (contentType.split(';')[0] ?? '').trim().toLowerCase()
