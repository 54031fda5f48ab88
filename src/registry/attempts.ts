import type { ConnectionOptions } from './connection-options.ts'
import { backoffMs, maxAttempts, wait as waitFor } from './retry.ts'
import { isTransient, retryAfterOf } from './status-error.ts'

/** Repeats work after transient failures. */
export interface Attempts {
  /** Waits before one more attempt; throws `error` when it is not transient or there have been too many attempts. */
  retryAfter(error: unknown, attempt: number): Promise<void>
  /** Runs `work`, and again after transient failures. */
  repeat<T>(work: () => Promise<T>): Promise<T>
}

export function attempts({
  signal,
  log,
  wait = waitFor,
}: Pick<ConnectionOptions, 'signal' | 'log' | 'wait'>): Attempts {
  async function retryAfter(error: unknown, count: number): Promise<void> {
    if (signal?.aborted || count >= maxAttempts || !isTransient(error)) throw error
    const ms = backoffMs(count, retryAfterOf(error), Date.now())
    const said = error instanceof Error ? error.message : error
    log?.(`${said}; attempt ${count + 1} of ${maxAttempts} in ${Math.round(ms)} ms`)
    await wait(ms, signal)
  }

  async function repeat<T>(work: () => Promise<T>): Promise<T> {
    for (let count = 1; ; count++) {
      try {
        return await work()
      } catch (error) {
        await retryAfter(error, count)
      }
    }
  }

  return { retryAfter, repeat }
}
