import type { BufferFunctions } from './buffer.ts'
import { type EventLoop, pollEvents } from './event-loop.ts'
import { EventEmitter } from './events.ts'
import type { Host } from './host.ts'
import { statsOf } from './stats.ts'
import { systemError } from './system-error.ts'

interface Means {
  readonly host: Host
  readonly loop: EventLoop
  readonly buffers: BufferFunctions
  /** Calls the listener when the size of the terminal may have changed. */
  readonly onResize: (listener: () => void) => void
}

export interface StandardStreams {
  readonly stdin: Input
  readonly stdout: Output
  readonly stderr: Output
}

/** The streams are made when they are first asked for. */
export function makeStandardStreams(means: Means): StandardStreams {
  const outputs: Output[] = []
  function output(fd: number): Output {
    const made = outputs[fd] ?? new Output(means, fd)
    outputs[fd] = made
    return made
  }
  let input: Input | undefined
  return {
    get stdin() {
      input ??= new Input(means)
      return input
    },
    get stdout() {
      return output(1)
    },
    get stderr() {
      return output(2)
    },
  }
}

const tryAgain = -11
const interrupted = -4

/** Standard output or standard error: all is written before `write` returns. An error is for the listeners to 'error'. */
export class Output extends EventEmitter {
  readonly fd: number
  /** True for a terminal; else undefined, as in Node.js. */
  readonly isTTY: true | undefined
  readonly #host: Host
  readonly #onResize: Means['onResize']

  constructor({ host, onResize }: Means, fd: number) {
    super()
    this.fd = fd
    this.isTTY = host.isTerminal(fd) || undefined
    this.#host = host
    this.#onResize = onResize
  }

  get columns(): number | undefined {
    return this.#size(0)
  }

  get rows(): number | undefined {
    return this.#size(1)
  }

  #size(at: 0 | 1): number | undefined {
    const size = this.isTTY ? this.#host.terminalSize(this.fd) : undefined
    return typeof size === 'object' ? size[at] : undefined
  }

  /** @param callback is called with the error, or without one, when all is written */
  write(content: string | Uint8Array, callback?: (error?: Error) => void): boolean {
    const bytes = typeof content === 'string' ? this.#host.encode(content) : content
    const result = this.#writeAll(bytes)
    const error = result < 0 ? systemError(result, { syscall: 'write' }) : undefined
    if (error !== undefined) {
      // As in Node.js, where a stream that is no file says less.
      if (!this.#isFile()) error.message = `write ${error.code}`
      callback?.(error)
      this.emit('error', error)
    } else callback?.()
    return error === undefined
  }

  #isFile(): boolean {
    const answer = this.#host.fstat(this.fd)
    if (this.isTTY || typeof answer === 'number') return false
    const stats = statsOf(answer)
    return !stats.isFIFO() && !stats.isSocket()
  }

  #writeAll(bytes: Uint8Array): number {
    for (let at = 0; at < bytes.length; ) {
      const count = this.#host.write(this.fd, bytes, at, bytes.length - at)
      if (count >= 0) at += count
      else if (count === tryAgain) this.#host.poll([this.fd], [pollEvents.writable], -1)
      else if (count !== interrupted) return count
    }
    return 0
  }

  protected override listenersChanged(name: string, count: number): void {
    if (name === 'resize' && count === 1) this.#onResize(() => this.emit('resize'))
  }
}

const chunkBytes = 65_536

/** Standard input, which is read as it is iterated over. */
export class Input {
  readonly #means: Means
  #stop: (() => void) | undefined
  #isDestroyed = false

  constructor(means: Means) {
    this.#means = means
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    const { host, buffers } = this.#means
    while (!this.#isDestroyed) {
      await this.#untilReadable()
      const bytes = buffers.allocUnsafe(chunkBytes)
      const count = host.read(0, bytes, 0, chunkBytes, -1)
      if (count === tryAgain || count === interrupted) continue
      if (count < 0) {
        const error = systemError(count, { syscall: 'read' })
        throw Object.assign(error, { message: `read ${error.code}` })
      }
      if (count === 0) return
      yield bytes.subarray(0, count)
    }
  }

  #untilReadable(): Promise<void> {
    return new Promise((resolve) => {
      const waiting = this.#means.loop.watch(0, pollEvents.readable, () => {
        waiting.stop()
        resolve()
      })
      this.#stop = waiting.stop
    })
  }

  destroy(): void {
    this.#isDestroyed = true
    this.#stop?.()
  }
}
