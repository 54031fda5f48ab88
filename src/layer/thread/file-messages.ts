import type { PlainError } from '../../errors.ts'
import type { PackedJobs } from './file-jobs.ts'

/** The data with which the thread that fills files starts. */
export interface FileThreadData {
  /** A shared counter of the files that the thread has closed. */
  readonly closed: Int32Array<SharedArrayBuffer>
}

/** A message to the thread that fills files. Each chunk is answered by `done` or by `failure`. */
export type FileRequest =
  | { readonly kind: 'chunk'; readonly chunk: ArrayBuffer; readonly jobs: PackedJobs }
  | { readonly kind: 'close' }

/** A message from the thread that fills files. After `failure` the thread only closes the files that it gets. */
export type FileReport = { readonly kind: 'done' } | { readonly kind: 'failure'; readonly error: PlainError }
