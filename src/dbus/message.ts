import { marshal } from './marshal.ts'
import { type Value, type Variant, variant } from './signature.ts'
import { Reader } from './unmarshal.ts'

/** A method call; `destination` is the bus name of the receiver, `path` the object. */
export interface MethodCall {
  readonly destination: string
  readonly path: string
  readonly interface: string
  readonly member: string
  readonly signature?: string
  readonly body?: readonly Value[]
}

/** A received message. */
export interface Message {
  readonly kind: 'call' | 'return' | 'error' | 'signal'
  /** For a return or an error: the serial of the call that it answers. */
  readonly replySerial: number
  readonly member: string
  readonly interface: string
  /** The name of an error, such as `org.freedesktop.systemd1.NoSuchUnit`. */
  readonly errorName: string
  readonly body: readonly Value[]
}

const messageKinds = { 1: 'call', 2: 'return', 3: 'error', 4: 'signal' } as const
const fields = { path: 1, interface: 2, member: 3, errorName: 4, replySerial: 5, destination: 6, signature: 8 } as const
const little = 'l'.charCodeAt(0)
const fixedBytes = 16
/** The largest message that is read: those of systemd have some hundred bytes, the specification allows 128 MiB. */
const maxMessageBytes = 4 * 1024 * 1024

/** Encodes a method call. @see D-Bus Specification 0.43 "Message Format" */
export function encodeCall(call: MethodCall, serial: number): Uint8Array {
  const { signature = '', body = [] } = call
  const content = marshal(signature, body)
  const header: readonly (readonly [number, Variant])[] = [
    [fields.path, variant('o', call.path)],
    [fields.interface, variant('s', call.interface)],
    [fields.member, variant('s', call.member)],
    [fields.destination, variant('s', call.destination)],
    ...(signature === '' ? [] : [[fields.signature, variant('g', signature)] as const]),
  ]
  const [methodCall, noFlags, version] = [1, 0, 1]
  const head = marshal('yyyyuua(yv)', [little, methodCall, noFlags, version, content.length, serial, header])
  const padding = (8 - (head.length % 8)) % 8
  return Buffer.concat([head, new Uint8Array(padding), content])
}

/**
 * Decodes the first message in `bytes`; undefined while it is incomplete. `size` is its size in bytes.
 *
 * @throws RangeError it is not a valid message
 */
export function decodeMessage(bytes: Uint8Array): { readonly message: Message; readonly size: number } | undefined {
  if (bytes.length < fixedBytes) return undefined
  const isLittle = bytes[0] === little
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const bodyBytes = view.getUint32(4, isLittle)
  const headerBytes = Math.ceil((fixedBytes + view.getUint32(12, isLittle)) / 8) * 8
  const size = headerBytes + bodyBytes
  if (size > maxMessageBytes) throw new RangeError(`a message of ${size} bytes`)
  if (bytes.length < size) return undefined
  const whole = bytes.subarray(0, size)
  const [list] = new Reader(whole, isLittle, 12).readAll('a(yv)')
  const header = headerFields(list ?? [])
  const kind = messageKinds[bytes[1] as keyof typeof messageKinds] ?? 'signal'
  const body = new Reader(whole, isLittle, headerBytes).readAll(text(header.get(fields.signature)))
  return {
    size,
    message: {
      kind,
      replySerial: Number(header.get(fields.replySerial) ?? 0),
      member: text(header.get(fields.member)),
      interface: text(header.get(fields.interface)),
      errorName: text(header.get(fields.errorName)),
      body,
    },
  }
}

function headerFields(list: Value): ReadonlyMap<number, Value> {
  const entries = Array.isArray(list) ? (list as readonly (readonly [number, Variant])[]) : []
  return new Map(entries.map(([field, content]) => [field, content.value]))
}

const text = (value: Value | undefined): string => (typeof value === 'string' ? value : '')
