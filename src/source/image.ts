import type { Digest } from '../oci/digest.ts'
import type { ImageConfig } from '../oci/image-config.ts'
import type { Platform } from '../oci/platform.ts'

/** One layer that can be read. */
export interface ImageLayer {
  /** Name in errors: the digest, or the name in an archive. */
  readonly name: string
  /** Digest of the uncompressed tar; undefined only for a rootfs archive, which has no image config. */
  readonly diffID: Digest | undefined
  /** Size of the blob in bytes; undefined when it is known only at the end. */
  readonly size: number | undefined
  /** The blob's bytes, as stored; throws at the end when they are not those that the image describes. */
  open(): AsyncIterable<Uint8Array>
}

/** An image whose manifest and image config have been read and checked; its layers come lowest first. */
export interface Image {
  /** Name in messages. */
  readonly name: string
  /** Digest of its manifest, where the source has one. */
  readonly digest: Digest | undefined
  /** Digest of the image config, where the image has no manifest. */
  readonly configDigest?: Digest | undefined
  /** The image config; undefined for a rootfs archive, which has only files. */
  readonly config: ImageConfig | undefined
  readonly layers: readonly ImageLayer[]
}

/** A place from which one image is read. */
export interface Source {
  /**
   * Resolves the image.
   * @param platform the wanted platform. Default: this host's where an index offers several; an image without an index
   *   is taken as it is
   * @throws OciError `ERR_PLATFORM_UNAVAILABLE`, `ERR_IMAGE_NOT_FOUND`, `ERR_MANIFEST_INVALID`, `ERR_SOURCE_INVALID`
   */
  image(platform?: Platform): Promise<Image>
  /** Releases resources; layers cannot be read afterwards. */
  close(): Promise<void>
}
