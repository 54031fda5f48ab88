import type { Descriptor } from '../oci/descriptor.ts'

/** Progress of one layer. */
export interface LayerProgress {
  readonly layer: Descriptor
  /** Bytes present, of `layer.size`. */
  readonly bytes: number
  /** True when the layer was in the store before. */
  readonly isCached: boolean
}
