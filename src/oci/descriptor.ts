import type { Digest } from './digest.ts'
import type { Platform } from './platform.ts'

/**
 * The media type, digest and size of a blob.
 *
 * @see image-spec v1.1.1 descriptor.md "Properties"
 */
export interface Descriptor {
  readonly mediaType: string
  readonly digest: Digest
  /** In bytes, never negative. */
  readonly size: number
  readonly urls?: readonly string[] | undefined
  readonly annotations?: Readonly<Record<string, string>> | undefined
  readonly artifactType?: string | undefined
  /** Present only in an index. */
  readonly platform?: Platform | undefined
}
