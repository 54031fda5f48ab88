import type { BufferFunctions } from './buffer.ts'
import { type EventLoop, pollEvents, type Waiting } from './event-loop.ts'
import { EventEmitter } from './events.ts'
import type { Host } from './host.ts'
import { eventError } from './system-error.ts'

const chunkBytes = 65_536
const tryAgain = -11

/** The means of streams. */
export interface StreamHost {
  readonly host: Host
  readonly loop: EventLoop
  readonly buffers: BufferFunctions
}

/** One end of a connection, as Node.js' `Socket` is: events `data`, `end`, `error` and `close`, `write`, `end` and `destroy`. */
export class Stream extends EventEmitter {
  readonly #means: StreamHost
  readonly #fd: number
  #reading: Waiting | undefined
  #writing: Waiting | undefined
  #unsent: Uint8Array[] = []
  #isEnding = false
  #isShut = false
  #hasEnd = false
  #isClosed = false
  #isRef = true

  /** @param fd a socket, which is this stream's from here on; a negative number is the error that there is in place of one */
  constructor(means: StreamHost, fd: number, { isReadable = true, path }: StreamOptions = {}) {
    super()
    this.#means = means
    this.#fd = fd
    this.#hasEnd = !isReadable
    if (fd < 0) means.loop.soon(() => this.#fail(fd, 'connect', path))
  }

  get destroyed(): boolean {
    return this.#isClosed
  }

  override on(name: string, listener: (...args: never[]) => void): this {
    super.on(name, listener as () => void)
    if (name === 'data') this.resume()
    return this
  }

  /** Reads on, though nobody may listen. */
  resume(): this {
    if (!this.#hasEnd && !this.#isClosed && this.#fd >= 0) {
      this.#reading ??= this.#watch(pollEvents.readable, () => this.#receive())
    }
    return this
  }

  /** @returns false when not all of it is sent yet */
  write(content: string | Uint8Array): boolean {
    const bytes = typeof content === 'string' ? this.#means.host.encode(content) : content
    if (bytes.length > 0) this.#unsent.push(bytes)
    if (this.#unsent.length === 1 && this.#fd >= 0) this.#send()
    return this.#unsent.length === 0
  }

  /** The other side reads its end after all that is written. */
  end(content?: string | Uint8Array): this {
    if (content !== undefined) this.write(content)
    this.#isEnding = true
    this.#finish()
    return this
  }

  destroy(): this {
    if (this.#isClosed) return this
    this.#isClosed = true
    this.#reading?.stop()
    this.#writing?.stop()
    if (this.#fd >= 0) this.#means.host.close(this.#fd)
    this.#means.loop.soon(() => this.emit('close'))
    return this
  }

  ref(): this {
    return this.#setRef(true)
  }

  unref(): this {
    return this.#setRef(false)
  }

  #setRef(isRef: boolean): this {
    this.#isRef = isRef
    this.#reading?.setRef(isRef)
    this.#writing?.setRef(isRef)
    return this
  }

  #watch(events: number, callback: () => void): Waiting {
    const waiting = this.#means.loop.watch(this.#fd, events, callback)
    waiting.setRef(this.#isRef)
    return waiting
  }

  #receive(): void {
    const { host, buffers } = this.#means
    const bytes = buffers.allocUnsafe(chunkBytes)
    const count = host.read(this.#fd, bytes, 0, chunkBytes, -1)
    if (count === tryAgain) return
    if (count > 0) this.emit('data', bytes.subarray(0, count))
    else if (count < 0) this.#fail(count, 'read')
    else this.#endReading()
  }

  #endReading(): void {
    this.#reading?.stop()
    this.#hasEnd = true
    this.emit('end')
    this.end()
  }

  #send(): void {
    while (!this.#isClosed) {
      const [bytes] = this.#unsent
      if (bytes === undefined) break
      const count = this.#means.host.send(this.#fd, bytes, 0, bytes.length)
      if (count === bytes.length) this.#unsent.shift()
      else if (count >= 0) this.#unsent[0] = bytes.subarray(count)
      else if (count === tryAgain) {
        this.#writing ??= this.#watch(pollEvents.writable, () => this.#send())
        return
      } else {
        this.#means.loop.soon(() => this.#fail(count, 'write'))
        return
      }
    }
    this.#writing?.stop()
    this.#writing = undefined
    this.#finish()
  }

  #finish(): void {
    if (!this.#isEnding || this.#unsent.length > 0 || this.#isClosed || this.#fd < 0) return
    if (!this.#isShut) this.#means.host.shutdown(this.#fd)
    this.#isShut = true
    if (this.#hasEnd) this.destroy()
  }

  #fail(errno: number, syscall: string, path?: string): void {
    if (this.#isClosed) return
    this.#unsent = []
    this.destroy()
    this.emit('error', eventError(errno, { syscall, path }))
  }
}

interface StreamOptions {
  /** False for one that is only written to. */
  readonly isReadable?: boolean
  /** The path that a connection was tried to. */
  readonly path?: string | undefined
}
