import type { Descriptor } from '../oci/descriptor.ts'

/** How far one layer has come. */
export interface LayerProgress {
  readonly layer: Descriptor
  /** Bytes that are there, of `layer.size`. */
  readonly bytes: number
  /** Whether the layer was in the store before. */
  readonly isCached: boolean
}
