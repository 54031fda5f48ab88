import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { marshal } from '../../src/dbus/marshal.ts'
import { decodeMessage, type Message } from '../../src/dbus/message.ts'
import { type Value, variant } from '../../src/dbus/signature.ts'

/** The answer of the bus to a call: none, an error, or values; signals are sent before it. */
export interface Answer {
  readonly signature?: string
  readonly body?: readonly Value[]
  readonly error?: string
  readonly signals?: readonly { readonly member: string; readonly signature: string; readonly body: readonly Value[] }[]
}

/** A message bus with one service, on a socket of its own. */
export class FakeBus {
  readonly calls: Message[] = []
  readonly #directory: string = mkdtempSync(join(tmpdir(), 'fake-bus-'))
  readonly path: string = join(this.#directory, 'socket')
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor(serve: (socket: Socket) => void) {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket)
      socket.on('error', () => {})
      serve(socket)
    })
  }

  /** @param serve handles a new connection */
  static async raw(serve: (socket: Socket) => void): Promise<FakeBus> {
    const bus = new FakeBus(serve)
    bus.#server.listen(bus.path)
    await once(bus.#server, 'listening')
    return bus
  }

  /** @param answer returns undefined for a call that is never answered */
  static async answering(answer: (call: Message) => Answer | undefined): Promise<FakeBus> {
    const bus: FakeBus = await FakeBus.raw((socket) => bus.#converse(socket, answer))
    return bus
  }

  get env(): { readonly DBUS_SYSTEM_BUS_ADDRESS: string } {
    return { DBUS_SYSTEM_BUS_ADDRESS: `unix:path=${this.path}` }
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    rmSync(this.#directory, { recursive: true, force: true })
  }

  #converse(socket: Socket, answer: (call: Message) => Answer | undefined): void {
    let received = Buffer.alloc(0)
    let isOpen = false
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk])
      if (!isOpen) {
        const text = received.toString('latin1')
        if (text.endsWith('DATA\r\n')) socket.write('DATA\r\nOK 0123\r\n')
        const begin = text.indexOf('BEGIN\r\n')
        if (begin < 0) return
        isOpen = true
        received = received.subarray(begin + 'BEGIN\r\n'.length)
      }
      for (let next = decodeMessage(received); next !== undefined; next = decodeMessage(received)) {
        const serial = received.readUInt32LE(8)
        received = received.subarray(next.size)
        this.calls.push(next.message)
        const said = next.message.member === 'Hello' ? { signature: 's', body: [':1.1'] } : answer(next.message)
        if (said !== undefined) socket.write(encodeAnswer(said, serial))
      }
    })
  }
}

const kinds = { return: 2, error: 3, signal: 4 } as const

function encodeAnswer({ signature = '', body = [], error, signals = [] }: Answer, serial: number): Buffer {
  const fields = [
    [5, variant('u', serial)] as const,
    ...(error === undefined ? [] : [[4, variant('s', error)] as const]),
  ]
  return Buffer.concat([
    ...signals.map(({ member, ...rest }) => encode('signal', [[3, variant('s', member)]], rest)),
    encode(error === undefined ? 'return' : 'error', fields, { signature, body }),
  ])
}

function encode(
  kind: keyof typeof kinds,
  fields: readonly (readonly [number, Value])[],
  { signature, body }: { readonly signature: string; readonly body: readonly Value[] },
): Buffer {
  const content = marshal(signature, body)
  const all = [...fields, ...(signature === '' ? [] : [[8, variant('g', signature)] as const])]
  const head = marshal('yyyyuua(yv)', ['l'.charCodeAt(0), kinds[kind], 0, 1, content.length, 1, all])
  return Buffer.concat([head, Buffer.alloc((8 - (head.length % 8)) % 8), content])
}
