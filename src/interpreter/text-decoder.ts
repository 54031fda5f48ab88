import type { Host } from './host.ts'

/** Makes the class TextDecoder, for UTF-8. @see WHATWG Encoding "Interface TextDecoder" */
export function makeTextDecoder({ encode, decode }: Pick<Host, 'encode' | 'decode'>) {
  return class {
    readonly encoding = 'utf-8'
    readonly fatal: boolean
    readonly ignoreBOM = false

    constructor(label = 'utf-8', { fatal = false }: { readonly fatal?: boolean } = {}) {
      if (!/^utf-?8$/i.test(label)) throw new RangeError(`The "${label}" encoding is not supported`)
      this.fatal = fatal
    }

    decode(bytes: Uint8Array = new Uint8Array(0)): string {
      const text = decode(bytes)
      if (this.fatal && !isSame(encode(text), bytes)) {
        throw Object.assign(new TypeError('The encoded data was not valid for encoding utf-8'), {
          code: 'ERR_ENCODING_INVALID_ENCODED_DATA',
        })
      }
      return text.startsWith('\ufeff') ? text.slice(1) : text
    }
  }
}

const isSame = (one: Uint8Array, other: Uint8Array): boolean =>
  one.length === other.length && one.every((byte, at) => byte === other[at])
