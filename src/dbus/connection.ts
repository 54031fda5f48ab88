import { createConnection, type Socket } from 'node:net'
import { OciError } from '../errors.ts'
import { decodeMessage, encodeCall, type Message, type MethodCall } from './message.ts'
import type { Value } from './signature.ts'

/** The answer to a method call: the return values, or an error with its D-Bus name. */
export type Reply =
  | { readonly kind: 'return'; readonly body: readonly Value[] }
  | { readonly kind: 'error'; readonly name: string; readonly text: string }

/** A connection to a message bus. The caller of `connectToBus` closes it. Only one call or wait may be pending at a time. */
export interface Bus {
  /**
   * Calls a method and waits for its answer.
   * @throws OciError `ERR_SYSTEMD` the connection is lost; the reason of the connection's signal if that is aborted
   */
  call(call: MethodCall): Promise<Reply>
  /** Waits for a signal, also one that came earlier on this connection, for which `find` returns a value. */
  signal<T>(find: (message: Message) => T | undefined): Promise<T>
  close(): void
}

/**
 * Connects to a message bus, authenticates and calls Hello.
 *
 * @param path   the unix socket of the bus
 * @param signal its abort ends every wait on this connection, this one included, with its reason
 * @throws OciError `ERR_SYSTEMD` there is no bus, or it refuses the caller
 * @see D-Bus Specification 0.43 "Authentication Protocol", "Message Bus Messages"
 */
export async function connectToBus(path: string, signal: AbortSignal): Promise<Bus> {
  const socket = createConnection(path)
  const connection = new BusConnection(socket, path, signal)
  try {
    await connection.authenticate()
    const hello = await connection.call({
      destination: 'org.freedesktop.DBus',
      path: '/org/freedesktop/DBus',
      interface: 'org.freedesktop.DBus',
      member: 'Hello',
    })
    if (hello.kind === 'error') throw lost(path, hello.text)
    return connection
  } catch (error) {
    connection.close()
    throw error
  }
}

const lost = (path: string, why: string, cause?: unknown): OciError =>
  new OciError('ERR_SYSTEMD', `the message bus "${path}" cannot be used: ${why}`, {
    hint: 'check that systemd and its message bus run on this host, or leave out --systemd-cgroup',
    cause,
  })

class BusConnection implements Bus {
  readonly #socket: Socket
  readonly #path: string
  readonly #signals: Message[] = []
  #received: Buffer = Buffer.alloc(0)
  #failure: unknown
  #serial = 0
  readonly #replies = new Map<number, Message>()
  /** Checks the pending wait; called after each change of the state. */
  #wake: () => void = () => {}
  #isAuthenticated = false

  constructor(socket: Socket, path: string, abort: AbortSignal) {
    this.#socket = socket
    this.#path = path
    socket.on('data', (chunk) => this.#receive(chunk))
    socket.on('error', (cause) => this.#fail(lost(path, cause.message, cause)))
    socket.on('close', () => this.#fail(lost(path, 'it has closed the connection')))
    const stop = (): void => this.#fail(abort.reason)
    if (abort.aborted) stop()
    else abort.addEventListener('abort', stop, { once: true })
  }

  /** Authenticates by EXTERNAL without a name: the bus takes the uid from the socket, also across user namespaces. */
  async authenticate(): Promise<void> {
    this.#socket.write('\0AUTH EXTERNAL\r\nDATA\r\n')
    for (;;) {
      const line = await this.#until(() => this.#takeLine())
      if (line.startsWith('REJECTED') || line.startsWith('ERROR')) throw lost(this.#path, 'it refuses the caller')
      if (line.startsWith('OK')) break
    }
    this.#isAuthenticated = true
    this.#socket.write('BEGIN\r\n')
  }

  async call(call: MethodCall): Promise<Reply> {
    const serial = ++this.#serial
    this.#socket.write(encodeCall(call, serial))
    const { kind, body, errorName } = await this.#until(() => this.#replies.get(serial))
    this.#replies.delete(serial)
    if (kind !== 'error') return { kind: 'return', body }
    return { kind: 'error', name: errorName, text: typeof body[0] === 'string' ? body[0] : errorName }
  }

  signal<T>(find: (message: Message) => T | undefined): Promise<T> {
    return this.#until(() => {
      for (const message of this.#signals) {
        const found = find(message)
        if (found !== undefined) return found
      }
      return undefined
    })
  }

  close(): void {
    this.#socket.destroy()
  }

  /** Waits until `look` returns a value or the connection fails. Only one wait may be pending. */
  #until<T>(look: () => T | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#wake = () => {
        const found = look()
        if (found !== undefined) resolve(found)
        else if (this.#failure !== undefined) reject(this.#failure)
      }
      this.#wake()
    })
  }

  #fail(reason: unknown): void {
    this.#failure ??= reason
    this.#socket.destroy()
    this.#wake()
  }

  #receive(chunk: Buffer): void {
    this.#received = Buffer.concat([this.#received, chunk])
    try {
      while (this.#isAuthenticated && this.#takeMessage()) {}
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause
      this.#fail(lost(this.#path, 'it sends an invalid message', cause))
    }
    this.#wake()
  }

  #takeMessage(): boolean {
    const decoded = decodeMessage(this.#received)
    if (decoded === undefined) return false
    this.#received = this.#received.subarray(decoded.size)
    const { message } = decoded
    if (message.kind === 'return' || message.kind === 'error') this.#replies.set(message.replySerial, message)
    else if (message.kind === 'signal') this.#signals.push(message)
    return true
  }

  #takeLine(): string | undefined {
    const end = this.#received.indexOf('\r\n')
    if (end < 0) return undefined
    const line = this.#received.toString('latin1', 0, end)
    this.#received = this.#received.subarray(end + 2)
    return line
  }
}
