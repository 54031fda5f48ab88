import type { FileJob } from './thread/file-jobs.ts'

/** A queue of pieces of files that another thread writes. */
export interface FileQueue {
  /** True when one more file may stay open until its bytes are written. */
  hasRoom(): boolean
  /** Adds a piece of the chunk that is passed on next. */
  add(job: FileJob): void
}
