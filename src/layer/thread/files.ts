import { Worker } from 'node:worker_threads'
import { fromPlainError } from '../../errors.ts'
import type { FileQueue } from '../file-queue.ts'
import { threadEntry, threadEnvironment } from './entry.ts'
import { createJobList } from './file-jobs.ts'
import type { FileReport, FileRequest, FileThreadData } from './file-messages.ts'

/** The most files open at a time; few systems allow less than a thousand. */
const maxOpen = 256

export interface ThreadedFilesOptions {
  /** Called for each chunk that was passed on, when its jobs are done. */
  readonly onDone: () => void
  /** Called once, with the first error; no call of `onDone` follows. */
  readonly onFailure: (error: unknown) => void
}

/** A queue whose files are filled and closed in a thread of its own. */
export interface ThreadedFiles extends FileQueue {
  /**
   * Passes on the jobs added since the last call, with the chunk that holds their bytes.
   * @returns true when there were any
   */
  passOn(chunk: ArrayBuffer): boolean
  /** Resolves when all jobs that were passed on are done, or one has failed. */
  idle(): Promise<void>
  /** Ends the thread when its work is done. */
  close(): Promise<void>
}

export function threadedFiles({ onDone, onFailure }: ThreadedFilesOptions): ThreadedFiles {
  const closed = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
  const thread = new Worker(threadEntry(import.meta.url, 'layer/thread/file-thread.js'), {
    workerData: { closed } satisfies FileThreadData,
    execArgv: [],
    env: threadEnvironment(),
    // Files are closed by another thread than the one that opens them.
    trackUnmanagedFds: false,
  })
  const list = createJobList()
  let opened = 0
  let passed = 0
  let hasFailed = false
  let wake = (): void => {}

  const send = (request: FileRequest, transfer: readonly ArrayBuffer[] = []) => thread.postMessage(request, transfer)

  function fail(error: unknown): void {
    if (!hasFailed) onFailure(error)
    hasFailed = true
    wake()
  }

  thread.on('message', (report: FileReport) => {
    passed -= 1
    if (report.kind === 'failure') fail(fromPlainError(report.error))
    else {
      onDone()
      wake()
    }
  })
  thread.once('error', fail)
  const exited = new Promise<void>((resolve) => thread.once('exit', () => resolve()))

  return {
    hasRoom: () => opened - Atomics.load(closed, 0) < maxOpen,
    add(job) {
      if (job.piece.position === 0) opened += 1
      list.add(job)
    },
    passOn(chunk) {
      if (list.isEmpty) return false
      const jobs = list.take()
      passed += 1
      send({ kind: 'chunk', chunk, jobs }, [chunk, jobs.numbers.buffer])
      return true
    },
    async idle() {
      while (passed > 0 && !hasFailed) await new Promise<void>((resolve) => (wake = resolve))
    },
    async close() {
      send({ kind: 'close' })
      await exited
    },
  }
}
