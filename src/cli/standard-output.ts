import { isSystemError, OciError } from '../errors.ts'
import { endBySignal } from './end-by-signal.ts'
import type { TextOutput } from './io.ts'

export interface StandardOutput {
  /** Opened when it is first asked for, which takes a millisecond. */
  readonly stream: () => TextOutput
  /** @throws OciError `ERR_FILE_SYSTEM` */
  readonly writeBytes: (bytes: Uint8Array) => Promise<void>
}

/**
 * Standard output of this process, which ends when it cannot be written to: by SIGPIPE, as any other program, when nobody
 * reads there any more; else with the exit code of `onLoss`, which says what is wrong.
 */
export function standardOutput(onLoss: (error: OciError) => number): StandardOutput {
  let isWatched = false
  let isSaid = false

  function stream(): NodeJS.WriteStream {
    if (!isWatched) process.stdout.on('error', end)
    isWatched = true
    return process.stdout
  }

  function end(cause: Error): void {
    if (isSystemError(cause, 'EPIPE')) endBySignal('SIGPIPE')
    else if (!isSaid) process.exit(onLoss(cannotWrite(cause)))
  }

  return {
    stream,
    writeBytes: (bytes) =>
      new Promise((resolve, reject) => {
        stream().write(bytes, (cause) => {
          if (!cause) resolve()
          else if (!isSystemError(cause, 'EPIPE')) {
            isSaid = true
            reject(cannotWrite(cause))
          }
        })
      }),
  }
}

/** Standard error of this process: what cannot be written there can be said nowhere, and is no reason to stop half-way. */
export function standardError(): TextOutput {
  if (process.stderr.listenerCount('error') === 0) process.stderr.on('error', () => undefined)
  return process.stderr
}

const cannotWrite = (cause: Error): OciError =>
  new OciError('ERR_FILE_SYSTEM', `cannot write to standard output: ${cause.message}`, { cause })
