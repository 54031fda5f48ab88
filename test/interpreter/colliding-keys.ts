/** Keys of one hash in quickjs-ng, which is h * 263 + unit in 32 bits for each unit. */
export function collidingKeys(count: number): readonly string[] {
  const pairs = ['\u0200\u0400', '\u01ff\u0507'] // 263 less in the second place for one more in the first
  const length = Math.ceil(Math.log2(count))
  return Array.from({ length: count }, (_, number) =>
    Array.from({ length }, (_, bit) => pairs[(number >> bit) & 1]).join(''),
  )
}
