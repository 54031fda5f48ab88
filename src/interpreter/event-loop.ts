import type { Host } from './host.ts'
import { systemError } from './system-error.ts'

/** Events of poll(2). */
export const pollEvents = { readable: 1, writable: 4 }

const interrupted = -4

interface Timer {
  readonly atMs: number
  readonly callback: () => void
  isRef: boolean
}

interface Watch {
  readonly events: number
  readonly callback: () => void
  isRef: boolean
}

/** Something that the loop waits for. A loop with nothing but such as are not "ref" is at its end. */
export interface Waiting {
  readonly stop: () => void
  readonly setRef: (isRef: boolean) => void
}

/** The event loop of Node.js: timers, and descriptors that are waited for. */
export interface EventLoop {
  readonly startTimer: (milliseconds: number, callback: () => void) => Waiting
  /** Calls `callback` each time when the descriptor is readable, writable, at its end, or broken. */
  readonly watch: (fd: number, events: number, callback: () => void) => Waiting
  /** Calls `callback` once, before anything else happens. */
  readonly soon: (callback: () => void) => void
  /**
   * Waits for the next thing that happens, and calls its callback: promises have their turn before the one after it.
   *
   * @returns false when there is nothing to wait for any more
   */
  readonly turn: () => boolean
}

export function makeEventLoop(host: Host): EventLoop {
  const timers = new Set<Timer>()
  const watches = new Map<Watch, number>()
  /** They have happened; each is called unless a callback before it has taken it back. */
  const due: (() => void)[] = []

  function isAlive(): boolean {
    for (const { isRef } of timers) if (isRef) return true
    for (const { isRef } of watches.keys()) if (isRef) return true
    return false
  }

  /** The time of the next timer; -1: there is none. */
  function timeout(): number {
    let first = Number.POSITIVE_INFINITY
    for (const { atMs } of timers) first = Math.min(first, atMs)
    return first === Number.POSITIVE_INFINITY ? -1 : Math.max(0, Math.min(Math.ceil(first - now()), 0x7fff_ffff))
  }

  const now = (): number => host.now() / 1e6

  function collect(): void {
    const watched = [...watches]
    const found = host.poll(
      watched.map(([, fd]) => fd),
      watched.map(([{ events }]) => events),
      timeout(),
    )
    if (typeof found === 'number' && found !== interrupted) throw systemError(found, { syscall: 'poll' })
    const time = now()
    const ripe = [...timers].filter(({ atMs }) => atMs <= time).sort((one, other) => one.atMs - other.atMs)
    due.push(...ripe.map((timer) => () => timers.delete(timer) && timer.callback()))
    if (typeof found === 'number') return
    for (const [at, [watch]] of watched.entries()) {
      if (found[at]) due.push(() => watches.has(watch) && watch.callback())
    }
  }

  return {
    startTimer(milliseconds, callback) {
      const timer = { atMs: now() + Math.max(1, milliseconds), callback, isRef: true }
      timers.add(timer)
      return {
        stop: () => {
          timers.delete(timer)
        },
        setRef: (isRef) => {
          timer.isRef = isRef
        },
      }
    },
    watch(fd, events, callback) {
      const watch = { events, callback, isRef: true }
      watches.set(watch, fd)
      return {
        stop: () => {
          watches.delete(watch)
        },
        setRef: (isRef) => {
          watch.isRef = isRef
        },
      }
    },
    soon: (callback) => {
      due.push(callback)
    },
    turn() {
      if (due.length === 0) {
        if (!isAlive()) return false
        collect()
      }
      due.shift()?.()
      return true
    },
  }
}
