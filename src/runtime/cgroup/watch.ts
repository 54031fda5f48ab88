import { type FSWatcher, watch } from 'node:fs'
import { join } from 'node:path'
import { isSystemError } from '../../errors.ts'
import type { CgroupPaths } from './cgroup.ts'

/** Waits for events of a cgroup. The caller closes it. */
export interface CgroupWatch {
  /** Resolves when something may have happened since the last wait, and after `timeoutMs` at the latest. */
  wait(timeoutMs: number, abort?: AbortSignal): Promise<void>
  close(): void
}

/**
 * Interval of polling where the kernel sends no events: on cgroup v1 they need an eventfd(2), which Node.js does not
 * offer.
 */
const pollMs = 50
/** The longest wait: a timer of Node.js takes no more than 24 days. */
const longestMs = 60_000

/**
 * Watches a cgroup for its end and for lack of memory.
 *
 * @see kernel cgroup-v2.rst "memory.events", "cgroup.events": a change is a file modified event
 */
export function watchCgroup({ '': unified, ...v1 }: CgroupPaths): CgroupWatch {
  let hasHappened = false
  let wake = (): void => {}
  const note = (): void => {
    hasHappened = true
    wake()
  }
  const files = unified === undefined || Object.keys(v1).length > 0 ? [] : ['memory.events', 'cgroup.events']
  const watchers = files.map((file) => watchFile(join(unified ?? '', file), note))
  const isTold = watchers.length > 0 && !watchers.includes(undefined)
  return {
    wait: (timeoutMs, abort) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(done, Math.min(timeoutMs, isTold ? longestMs : pollMs))
        function done(): void {
          clearTimeout(timer)
          abort?.removeEventListener('abort', done)
          wake = () => {}
          hasHappened = false
          if (abort?.aborted) reject(abort.reason)
          else resolve()
        }
        wake = done
        abort?.addEventListener('abort', done, { once: true })
        if (hasHappened || abort?.aborted) done()
      }),
    close: () => {
      for (const watcher of watchers) watcher?.close()
    },
  }
}

/** Watches a file; undefined when the file does not exist, or the user has no watches left. */
function watchFile(path: string, note: () => void): FSWatcher | undefined {
  try {
    return watch(path, note).on('error', note)
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'EMFILE', 'ENFILE', 'ENOSPC', 'EACCES')) return undefined
    throw error
  }
}
