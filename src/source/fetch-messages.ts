import type { PlainError } from '../errors.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { ConnectionFacts } from '../registry/connection-options.ts'
import type { Credentials } from '../registry/credential-provider.ts'
import type { Endpoint } from '../registry/registries-conf.ts'
import type { FetchedManifest } from '../registry/repository.ts'
import type { IngestFiles } from '../store/ingest.ts'

/** The data with which the thread that fetches starts. */
export interface FetchWork extends ConnectionFacts {
  readonly endpoints: readonly Endpoint[]
}

/**
 * A message to the thread that fetches. `manifest` and `download` get one `answer` or `failure` with the same id.
 */
export type FetchRequest =
  | { readonly kind: 'manifest'; readonly id: number; readonly version: string }
  | { readonly kind: 'download'; readonly id: number; readonly blob: Descriptor; readonly files: IngestFiles }
  | { readonly kind: 'credentials'; readonly id: number; readonly credentials: Credentials | undefined }
  | { readonly kind: 'no-credentials'; readonly id: number; readonly error: PlainError }
  | { readonly kind: 'stop' }

/** A message from the thread that fetches. */
export type FetchReport =
  | { readonly kind: 'answer'; readonly id: number; readonly manifest?: FetchedManifest }
  | { readonly kind: 'failure'; readonly id: number; readonly error: PlainError }
  | { readonly kind: 'progress'; readonly id: number; readonly bytes: number }
  | { readonly kind: 'verified'; readonly id: number }
  | {
      readonly kind: 'wants-credentials'
      readonly id: number
      readonly registry: string
      readonly repository?: string | undefined
    }
  | { readonly kind: 'log' | 'warning'; readonly message: string }
