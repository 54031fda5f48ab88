import type { Host } from './host.ts'

/** The encodings that the runtime uses. */
export type Encoding = 'utf8' | 'latin1' | 'base64' | 'hex'

type BytesLike = string | ArrayBuffer | Iterable<number> | ArrayLike<number>

/** The functions of Node.js' `Buffer` class that the runtime uses. */
export interface BufferFunctions {
  /** @param how the encoding of a string, or where the part of an ArrayBuffer begins */
  readonly from: (value: BytesLike, how?: Encoding | number, length?: number) => Uint8Array
  readonly alloc: (size: number) => Uint8Array
  readonly allocUnsafe: (size: number) => Uint8Array
  /** Cut off, or filled with zeros, when `size` is not the sum of the sizes. */
  readonly concat: (list: readonly Uint8Array[], size?: number) => Uint8Array
  readonly byteLength: (text: string) => number
}

/** Makes Node.js' `Buffer`: a class of arrays of bytes, with as many of its methods as the runtime uses. */
export function makeBuffer({ encode, decode }: Pick<Host, 'encode' | 'decode'>): BufferFunctions {
  class Buffer extends Uint8Array {
    override toString(encoding: Encoding = 'utf8', start = 0, end: number = this.length): string {
      const part = this.subarray(start, Math.max(start, end))
      switch (encoding) {
        case 'utf8':
          return decode(part)
        case 'latin1':
          return latin1Of(part)
        case 'base64':
          return toBase64(part)
        case 'hex':
          return Array.from(part, (byte) => byte.toString(16).padStart(2, '0')).join('')
        default:
          return unknownEncoding(encoding)
      }
    }

    copy(to: Uint8Array, at = 0): number {
      const part = this.subarray(0, Math.max(0, to.length - at))
      if (part.length > 0) to.set(part, at)
      return part.length
    }

    /** Writes the characters for which there is room; returns the number of bytes. */
    write(text: string, offset = 0): number {
      const bytes = encode(text)
      const count = wholeCharacters(bytes, this.length - offset)
      this.set(bytes.subarray(0, count), offset)
      return count
    }

    /** @param what a byte or, for a text, its UTF-8 */
    override indexOf(what: number | string, from = 0): number {
      if (typeof what === 'number') return super.indexOf(what, from)
      const bytes = encode(what)
      for (let at = from; at + bytes.length <= this.length; at++) {
        if (bytes.every((byte, offset) => byte === this[at + offset])) return at
      }
      return -1
    }

    readUInt32LE(offset = 0): number {
      return new DataView(this.buffer, this.byteOffset + offset, 4).getUint32(0, true)
    }

    readInt32LE(offset = 0): number {
      return new DataView(this.buffer, this.byteOffset + offset, 4).getInt32(0, true)
    }

    writeUInt16LE(value: number, offset = 0): number {
      checkRange(value, 0xffff)
      new DataView(this.buffer, this.byteOffset + offset, 2).setUint16(0, value, true)
      return offset + 2
    }

    writeUInt32LE(value: number, offset = 0): number {
      checkRange(value, 0xffff_ffff)
      new DataView(this.buffer, this.byteOffset + offset, 4).setUint32(0, value, true)
      return offset + 4
    }

    writeBigUInt64LE(value: bigint, offset = 0): number {
      checkRange(value, 0xffff_ffff_ffff_ffffn)
      new DataView(this.buffer, this.byteOffset + offset, 8).setBigUint64(0, value, true)
      return offset + 8
    }
  }

  const bufferOf = ({ buffer, byteOffset, length }: Uint8Array): Buffer =>
    new Buffer(buffer as ArrayBuffer, byteOffset, length)

  function bytesOf(text: string, encoding: Encoding | number): Uint8Array {
    if (encoding === 'utf8') return encode(text)
    return encoding === 'base64' ? fromBase64(text) : unknownEncoding(encoding)
  }

  const functions: BufferFunctions = {
    from: (value, how = 'utf8', length) => {
      if (typeof value === 'string') return bufferOf(bytesOf(value, how))
      if (value instanceof ArrayBuffer) return new Buffer(value, Number(how === 'utf8' ? 0 : how), length)
      return new Buffer(value as ArrayLike<number>)
    },
    alloc: (size) => new Buffer(size),
    allocUnsafe: (size) => new Buffer(size),
    concat: (list, size = list.reduce((sum, { length }) => sum + length, 0)) => {
      const all = new Buffer(list.length === 0 ? 0 : size) // as in Node.js
      let at = 0
      for (const part of list) {
        all.set(part.subarray(0, size - at), at)
        at = Math.min(at + part.length, size)
      }
      return all
    },
    byteLength: (text) => encode(text).length,
  }
  return Object.assign(Buffer, functions)
}

function unknownEncoding(encoding: unknown): never {
  throw new TypeError(`the interpreter has no encoding ${JSON.stringify(encoding)}`)
}

function checkRange(value: number | bigint, most: number | bigint): void {
  if (value < 0 || value > most)
    throw new RangeError(`the value is out of range: 0 <= value <= ${most}, and it is ${value}`)
}

/** How many of the first bytes of a UTF-8 text are whole characters that have room. */
export function wholeCharacters(bytes: Uint8Array, room: number): number {
  if (bytes.length <= room) return bytes.length
  let count = Math.max(room, 0)
  while (count > 0 && ((bytes[count] ?? 0) & 0xc0) === 0x80) count--
  return count
}

function latin1Of(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += String.fromCharCode(byte)
  return text
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

function toBase64(bytes: Uint8Array): string {
  let text = ''
  for (let at = 0; at < bytes.length; at += 3) {
    const [first = 0, second = 0, third = 0] = bytes.subarray(at, at + 3)
    const bits = (first << 16) | (second << 8) | third
    for (let digit = 0; digit < 4; digit++)
      text += at + digit > bytes.length ? '=' : alphabet[(bits >> (18 - 6 * digit)) & 63]
  }
  return text
}

const digits: ReadonlyMap<string, number> = new Map(
  [...alphabet, '-', '_'].map((digit, at) => [digit, at < 64 ? at : at - 2]),
)

/** In either alphabet; what is no digit is passed over, and what is behind an equals sign. */
function fromBase64(text: string): Uint8Array {
  const bytes = new Uint8Array((text.length * 3) >> 2)
  let [used, bits, count] = [0, 0, 0]
  for (const character of text) {
    if (character === '=') break
    const digit = digits.get(character)
    if (digit === undefined) continue
    bits = ((bits << 6) | digit) & 0xff_ffff
    count += 6
    if (count < 8) continue
    count -= 8
    bytes[used++] = (bits >> count) & 0xff
  }
  return bytes.subarray(0, used)
}
