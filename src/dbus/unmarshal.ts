import { alignmentOf, membersOf, typesOf, type Value, type Variant } from './signature.ts'

/** The deepest nesting of containers in a message, as the specification has it. */
const maxDepth = 64

/**
 * Reads values from a message, whose first byte is at `bytes[0]`.
 *
 * @throws RangeError the bytes end too early, or contain an invalid signature
 * @see D-Bus Specification 0.43 "Marshaling (Wire Format)"
 */
export class Reader {
  readonly #view: DataView
  readonly #isLittle: boolean
  #at: number
  /** The variants around the value that is read. */
  #depth = 0

  constructor(bytes: Uint8Array, isLittle: boolean, at = 0) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#isLittle = isLittle
    this.#at = at
  }

  readAll(signature: string): readonly Value[] {
    return typesOf(signature).map((type) => this.read(type))
  }

  read(type: string): Value {
    this.#align(alignmentOf(type))
    switch (type[0]) {
      case 'y':
        return this.#view.getUint8(this.#skip(1))
      case 'b':
        return this.#uint32() !== 0
      case 'n':
        return this.#view.getInt16(this.#skip(2), this.#isLittle)
      case 'q':
        return this.#view.getUint16(this.#skip(2), this.#isLittle)
      case 'i':
        return this.#view.getInt32(this.#skip(4), this.#isLittle)
      case 'u':
      case 'h':
        return this.#uint32()
      case 'x':
        return this.#view.getBigInt64(this.#skip(8), this.#isLittle)
      case 't':
        return this.#view.getBigUint64(this.#skip(8), this.#isLittle)
      case 'd':
        return this.#view.getFloat64(this.#skip(8), this.#isLittle)
      case 's':
      case 'o':
        return this.#text(this.#uint32())
      case 'g':
        return this.#text(this.#view.getUint8(this.#skip(1)))
      case 'v':
        return this.#variant()
      case '(':
      case '{':
        return membersOf(type).map((member) => this.read(member))
      default:
        return this.#array(type.slice(1))
    }
  }

  #variant(): Variant {
    const signature = this.#text(this.#view.getUint8(this.#skip(1)))
    const [type, ...more] = typesOf(signature)
    if (type === undefined || more.length > 0) throw new RangeError(`"${signature}" is not one type`)
    if (++this.#depth > maxDepth) throw new RangeError(`more than ${maxDepth} variants are nested`)
    const value = this.read(type)
    this.#depth--
    return { signature, value }
  }

  #array(type: string): readonly Value[] {
    const length = this.#uint32()
    this.#align(alignmentOf(type))
    const end = this.#at + length
    const items: Value[] = []
    while (this.#at < end) items.push(this.read(type))
    return items
  }

  #text(length: number): string {
    const start = this.#view.byteOffset + this.#skip(length + 1)
    return new TextDecoder().decode(new Uint8Array(this.#view.buffer, start, length))
  }

  #align(alignment: number): void {
    this.#at = Math.ceil(this.#at / alignment) * alignment
  }

  #uint32(): number {
    return this.#view.getUint32(this.#skip(4), this.#isLittle)
  }

  #skip(size: number): number {
    const at = this.#at
    if (at + size > this.#view.byteLength) throw new RangeError('the message ends too early')
    this.#at += size
    return at
  }
}
