import type { FileJob } from './thread/file-jobs.ts'

/** Takes over pieces of files, to be written elsewhere. */
export interface FileQueue {
  /** Whether one more file may stay open until its bytes are written. */
  hasRoom(): boolean
  /** The chunk of the piece is whatever is passed on next. */
  add(job: FileJob): void
}
