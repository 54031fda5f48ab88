import type { PlainError } from '../../errors.ts'
import type { PackedJobs } from './file-jobs.ts'

/** What the thread that fills files is begun with. */
export interface FileThreadData {
  /** A counter, shared: how many files it has closed. */
  readonly closed: Int32Array<SharedArrayBuffer>
}

/** To the thread that fills files. Each chunk is answered by `done` or by `failure`. */
export type FileRequest =
  | { readonly kind: 'chunk'; readonly chunk: ArrayBuffer; readonly jobs: PackedJobs }
  | { readonly kind: 'close' }

/** From it. After `failure` it closes the files that it is given, and does nothing else. */
export type FileReport = { readonly kind: 'done' } | { readonly kind: 'failure'; readonly error: PlainError }
