import type { Digest } from './digest.ts'
import type { Platform } from './platform.ts'

/**
 * What a blob is, what it hashes to and how many bytes it has.
 *
 * @see image-spec v1.1.1 descriptor.md "Properties"
 */
export interface Descriptor {
  readonly mediaType: string
  readonly digest: Digest
  /** Bytes, never negative. */
  readonly size: number
  readonly urls?: readonly string[] | undefined
  readonly annotations?: Readonly<Record<string, string>> | undefined
  readonly artifactType?: string | undefined
  /** In an index only. */
  readonly platform?: Platform | undefined
}
