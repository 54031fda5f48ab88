import { setTimeout as sleep } from 'node:timers/promises'

/** The most attempts at one request, including the first. */
export const maxAttempts = 5

/** The longest wait in milliseconds, also when a server's Retry-After is longer. */
const maxWaitMs = 60_000

/** True for a status after which the same request may succeed a little later. */
export const isTransientStatus = (status: number): boolean =>
  status === 408 || status === 429 || (status >= 500 && status !== 501 && status !== 505)

/**
 * Milliseconds to wait before attempt `attempt + 1`: the server's Retry-After, or else a time that doubles from 0.5 s,
 * with jitter.
 *
 * @param retryAfter the header of that name: seconds or an HTTP date
 */
export function backoffMs(attempt: number, retryAfter: string | undefined, now: number): number {
  const asked = retryAfter === undefined ? Number.NaN : secondsOf(retryAfter, now) * 1000
  if (Number.isFinite(asked)) return Math.min(Math.max(asked, 0), maxWaitMs)
  return Math.min(500 * 2 ** (attempt - 1), maxWaitMs) * (0.75 + Math.random() / 2)
}

function secondsOf(retryAfter: string, now: number): number {
  return /^\d+$/.test(retryAfter) ? Number(retryAfter) : (Date.parse(retryAfter) - now) / 1000
}

/** Waits; rejects at once, with the signal's reason, when the signal aborts. */
export async function wait(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, signal === undefined ? {} : { signal })
  } finally {
    signal?.throwIfAborted() // the reason itself, without an AbortError around it
  }
}
