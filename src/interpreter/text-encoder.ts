import { wholeCharacters } from './buffer.ts'
import type { Host } from './host.ts'

/** Makes the class TextEncoder. @see WHATWG Encoding "Interface TextEncoder" */
export function makeTextEncoder({ encode, encodeInto }: Pick<Host, 'encode' | 'encodeInto'>): new () => TextEncoder {
  return class implements TextEncoder {
    readonly encoding = 'utf-8'

    encode(text = ''): Uint8Array<ArrayBuffer> {
      return encode(text) as Uint8Array<ArrayBuffer>
    }

    encodeInto(text: string, to: Uint8Array): { read: number; written: number } {
      const count = encodeInto(text, to)
      if (count >= 0) return { read: text.length, written: count }
      const bytes = encode(text)
      const written = wholeCharacters(bytes, to.length)
      to.set(bytes.subarray(0, written))
      return { read: unitsOf(bytes.subarray(0, written)), written }
    }
  }
}

/** UTF-16 units of a UTF-8 text. */
function unitsOf(bytes: Uint8Array): number {
  let units = 0
  for (const byte of bytes) units += (byte & 0xc0) === 0x80 ? 0 : byte >= 0xf0 ? 2 : 1
  return units
}
