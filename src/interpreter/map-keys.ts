/** Longer strings may be in pieces, after a concatenation (JS_STRING_ROPE_SHORT_LEN in quickjs-ng 0.16). */
const wholeLength = 512

/**
 * Mends Map and Set of quickjs-ng 0.16: a string in pieces has another hash there than the same string in one piece, so that
 * each is a key of its own.
 */
export function mendKeys(): void {
  const keyIsFirst = [
    [Map.prototype, ['get', 'set', 'has', 'delete']],
    [Set.prototype, ['add', 'has', 'delete']],
  ] as const
  for (const [prototype, names] of keyIsFirst) {
    for (const name of names) {
      const original = Symbol(name) // as a method it is called twice as fast as by Function.prototype.call
      Object.defineProperty(prototype, original, { value: Reflect.get(prototype, name) })
      const mended = function (this: Keyed, key: unknown, value?: unknown): unknown {
        return this[original]?.(typeof key === 'string' && key.length > wholeLength ? inOnePiece(key) : key, value)
      }
      Object.defineProperty(prototype, name, { value: mended })
    }
  }
}

type Keyed = Readonly<Record<symbol, (key: unknown, value?: unknown) => unknown>>

/** Every method of strings puts them together first. */
const inOnePiece = (text: string): string => text.slice()
