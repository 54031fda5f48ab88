import type { PlainError } from '../errors.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { ConnectionFacts } from '../registry/connection-options.ts'
import type { Credentials } from '../registry/credential-provider.ts'
import type { Endpoint } from '../registry/registries-conf.ts'
import type { FetchedManifest } from '../registry/repository.ts'
import type { IngestFiles } from '../store/ingest.ts'

/** What the thread that fetches is begun with. */
export interface FetchWork extends ConnectionFacts {
  readonly endpoints: readonly Endpoint[]
}

/** To the thread that fetches. Each call gets one `answer` or `failure` of the same number. */
export type FetchRequest =
  | { readonly kind: 'manifest'; readonly call: number; readonly version: string }
  | { readonly kind: 'download'; readonly call: number; readonly blob: Descriptor; readonly files: IngestFiles }
  | { readonly kind: 'credentials'; readonly call: number; readonly credentials: Credentials | undefined }
  | { readonly kind: 'no-credentials'; readonly call: number; readonly error: PlainError }
  | { readonly kind: 'stop' }

/** From the thread that fetches. */
export type FetchReport =
  | { readonly kind: 'answer'; readonly call: number; readonly manifest?: FetchedManifest }
  | { readonly kind: 'failure'; readonly call: number; readonly error: PlainError }
  | { readonly kind: 'progress'; readonly call: number; readonly bytes: number }
  | { readonly kind: 'verified'; readonly call: number }
  | {
      readonly kind: 'wants-credentials'
      readonly call: number
      readonly registry: string
      readonly repository?: string | undefined
    }
  | { readonly kind: 'log'; readonly message: string }
