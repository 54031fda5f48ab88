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
      const method: (this: unknown, key: unknown, value?: unknown) => unknown = Reflect.get(prototype, name)
      const mended = function (this: unknown, key: unknown, value?: unknown): unknown {
        return method.call(this, typeof key === 'string' && key.length > wholeLength ? inOnePiece(key) : key, value)
      }
      Object.defineProperty(prototype, name, { value: mended })
    }
  }
}

/** Every method of strings puts them together first. */
const inOnePiece = (text: string): string => text.slice()
