import { type EventLoop, pollEvents, type Waiting } from './event-loop.ts'
import type { Host } from './host.ts'
import { systemError } from './system-error.ts'

/** The size of what signalfd(2) gives for each signal, whose number comes first. */
const recordBytes = 128

/** Signals that do something else than by default. */
export interface Signals {
  /** Calls `callback` each time when the signal comes; `keepsAlive`: the loop does not end as long. */
  readonly catch: (signal: number, callback: () => void, keepsAlive?: boolean) => void
  /** The signal does again what it does by default. */
  readonly release: (signal: number) => void
}

export function makeSignals(host: Host, loop: EventLoop): Signals {
  const caught = new Map<number, { readonly callback: () => void; readonly keepsAlive: boolean }>()
  const bytes = new Uint8Array(recordBytes)
  let fd = -1
  let waiting: Waiting | undefined

  function update(): void {
    const result = host.catchSignals(fd, [...caught.keys()])
    if (result < 0) throw systemError(result, { syscall: 'signalfd' })
    fd = result
    waiting ??= loop.watch(fd, pollEvents.readable, receive)
    waiting.setRef([...caught.values()].some(({ keepsAlive }) => keepsAlive))
  }

  function receive(): void {
    if (host.read(fd, bytes, 0, recordBytes, -1) === recordBytes) caught.get(bytes[0] ?? 0)?.callback()
  }

  return {
    catch: (signal, callback, keepsAlive = false) => {
      caught.set(signal, { callback, keepsAlive })
      update()
    },
    release: (signal) => {
      if (caught.delete(signal)) update()
      const result = host.defaultSignal(signal)
      if (result < 0) throw systemError(result, { syscall: 'sigaction' })
    },
  }
}
