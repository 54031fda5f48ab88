import { alignmentOf, membersOf, typesOf, type Value, type Variant } from './signature.ts'

/**
 * Encodes values in the wire format of D-Bus, little endian, for a position that is a multiple of eight.
 *
 * @throws Error a value does not have its type, which is a bug of the caller
 * @see D-Bus Specification 0.43 "Marshaling (Wire Format)"
 */
export function marshal(signature: string, values: readonly Value[]): Uint8Array {
  const writer = new Writer()
  typesOf(signature).forEach((type, index) => {
    writer.write(type, values[index])
  })
  return writer.bytes()
}

class Writer {
  readonly #bytes: number[] = []

  bytes(): Uint8Array {
    return Uint8Array.from(this.#bytes)
  }

  write(type: string, value: Value | undefined): void {
    this.#align(alignmentOf(type))
    switch (type[0]) {
      case 'y':
        this.#integer(1, BigInt(expectNumber(type, value)))
        break
      case 'b':
        this.#integer(4, value === true ? 1n : 0n)
        break
      case 'u':
      case 'i':
        this.#integer(4, BigInt(expectNumber(type, value)))
        break
      case 't':
      case 'x':
        this.#integer(8, BigInt(expectNumber(type, value)))
        break
      case 's':
      case 'o':
        this.#text(4, expectString(type, value))
        break
      case 'g':
        this.#text(1, expectString(type, value))
        break
      case 'v':
        this.#variant(expectVariant(value))
        break
      case '(':
      case '{':
        this.#struct(membersOf(type), expectList(type, value))
        break
      case 'a':
        this.#array(type.slice(1), expectList(type, value))
        break
      default:
        throw new Error(`values of the D-Bus type "${type}" cannot be written`)
    }
  }

  #variant({ signature, value }: Variant): void {
    this.#text(1, signature)
    this.write(signature, value)
  }

  #struct(types: readonly string[], values: readonly Value[]): void {
    types.forEach((type, index) => {
      this.write(type, values[index])
    })
  }

  /** Writes an array. Its length does not include the padding before the first element. */
  #array(type: string, items: readonly Value[]): void {
    const lengthAt = this.#bytes.length
    this.#integer(4, 0n)
    this.#align(alignmentOf(type))
    const start = this.#bytes.length
    for (const item of items) this.write(type, item)
    const length = this.#bytes.length - start
    for (let index = 0; index < 4; index++) this.#bytes[lengthAt + index] = (length >>> (8 * index)) & 0xff
  }

  #text(lengthBytes: number, value: string): void {
    const content = new TextEncoder().encode(value)
    this.#integer(lengthBytes, BigInt(content.length))
    this.#bytes.push(...content, 0)
  }

  #integer(size: number, value: bigint): void {
    for (let index = 0; index < size; index++) this.#bytes.push(Number((value >> BigInt(8 * index)) & 0xffn))
  }

  #align(alignment: number): void {
    while (this.#bytes.length % alignment !== 0) this.#bytes.push(0)
  }
}

function expectNumber(type: string, value: Value | undefined): number | bigint {
  if (typeof value === 'number' || typeof value === 'bigint') return value
  throw mismatch(type, value)
}

function expectString(type: string, value: Value | undefined): string {
  if (typeof value === 'string' && !value.includes('\0')) return value
  throw mismatch(type, value)
}

function expectList(type: string, value: Value | undefined): readonly Value[] {
  if (Array.isArray(value)) return value
  throw mismatch(type, value)
}

function expectVariant(value: Value | undefined): Variant {
  if (typeof value === 'object' && 'signature' in value) return value
  throw mismatch('v', value)
}

const mismatch = (type: string, value: Value | undefined): Error =>
  new Error(`${String(value)} does not have the D-Bus type "${type}"`)
