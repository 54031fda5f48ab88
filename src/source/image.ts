import type { Digest } from '../oci/digest.ts'
import type { ImageConfig } from '../oci/image-config.ts'
import type { Platform } from '../oci/platform.ts'

/** One layer that can be read. */
export interface ImageLayer {
  /** What errors call it: its digest, or its name in an archive. */
  readonly name: string
  /** Digest of the uncompressed tar; undefined only for a rootfs archive, which has no image config. */
  readonly diffID: Digest | undefined
  /** Bytes of the blob, or undefined when that shows in the end only. */
  readonly size: number | undefined
  /** The blob's bytes, as stored; an error ends them unless they are what the image promises. */
  open(): AsyncIterable<Uint8Array>
}

/** An image whose manifest and image config have been read and checked; its layers come lowest first. */
export interface Image {
  /** What messages call it. */
  readonly name: string
  /** Digest of its manifest, where the source has one. */
  readonly digest: Digest | undefined
  /** Undefined for a rootfs archive: there is nothing but files. */
  readonly config: ImageConfig | undefined
  readonly layers: readonly ImageLayer[]
}

/** A place that has one image for us. */
export interface Source {
  /**
   * @param platform which one of several; an image for one platform alone is taken as it is when none is asked for
   * @throws OciError `ERR_PLATFORM_UNAVAILABLE`, `ERR_IMAGE_NOT_FOUND`, `ERR_MANIFEST_INVALID`, `ERR_SOURCE_INVALID`
   */
  image(platform?: Platform): Promise<Image>
  /** Releases what the source holds; layers cannot be read any more. */
  close(): Promise<void>
}
