import type { EventLoop, Waiting } from './event-loop.ts'

export interface Timer {
  readonly ref: () => Timer
  readonly unref: () => Timer
}

/** Makes the timers of Node.js that the runtime uses: `setTimeout`, `clearTimeout`, and `setTimeout` of `node:timers/promises`. */
export function makeTimers(loop: EventLoop) {
  const waitings = new WeakMap<Timer, Waiting>()

  function setTimeout(callback: (...args: unknown[]) => void, milliseconds = 1, ...args: unknown[]): Timer {
    const waiting = loop.startTimer(milliseconds, () => callback(...args))
    const timer: Timer = {
      ref: () => {
        waiting.setRef(true)
        return timer
      },
      unref: () => {
        waiting.setRef(false)
        return timer
      },
    }
    waitings.set(timer, waiting)
    return timer
  }

  function clearTimeout(timer?: Timer): void {
    if (timer !== undefined) waitings.get(timer)?.stop()
  }

  function sleep<T>(milliseconds?: number, value?: T, { signal }: { readonly signal?: AbortSignal } = {}): Promise<T> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer)
        const reason = new Error('The operation was aborted', { cause: signal?.reason })
        reject(Object.assign(reason, { name: 'AbortError', code: 'ABORT_ERR' }))
      }
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', end)
        resolve(value as T)
      }, milliseconds)
      if (signal?.aborted) end()
      else signal?.addEventListener('abort', end, { once: true })
    })
  }

  return { setTimeout, clearTimeout, promises: { setTimeout: sleep } }
}
