import { closeSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { type PlainError, toPlainError } from '../../errors.ts'
import { onFileSystem } from '../file-system-error.ts'
import { completeFile, writePiece } from '../open-file.ts'
import { release } from '../release.ts'
import { type FileJob, unpackJobs } from './file-jobs.ts'
import type { FileReport, FileRequest, FileThreadData } from './file-messages.ts'

/** Runs the thread that fills and closes the files which another thread creates. */
function run(port: NonNullable<typeof parentPort>, { closed }: FileThreadData): void {
  const report = (message: FileReport) => port.postMessage(message)
  let failure: PlainError | undefined

  function attempt(name: string, step: () => void): void {
    try {
      onFileSystem(() => name, step)
    } catch (error) {
      failure ??= toPlainError(error)
    }
  }

  function fill(chunk: Uint8Array, { name, piece, completion }: FileJob): void {
    writePiece(chunk, piece)
    if (completion !== undefined) completeFile(piece.descriptor, name, completion)
  }

  function onChunk({ chunk, jobs }: FileRequest & { readonly kind: 'chunk' }): void {
    const bytes = new Uint8Array(chunk)
    for (const job of unpackJobs(jobs)) {
      if (failure === undefined) attempt(job.name, () => fill(bytes, job))
      if (job.completion === undefined) continue
      // Files are closed also after a failure: nothing else closes them.
      attempt(job.name, () => closeSync(job.piece.descriptor))
      Atomics.add(closed, 0, 1)
    }
    release(chunk)
    report(failure === undefined ? { kind: 'done' } : { kind: 'failure', error: failure })
  }

  port.on('message', (request: FileRequest) => {
    if (request.kind === 'chunk') onChunk(request)
    else port.close()
  })
}

if (parentPort === null) throw new Error('this module is the entry of a thread')
run(parentPort, workerData as FileThreadData)
