/** A value of D-Bus. 64-bit integers are bigint; arrays, structs and dictionaries (arrays of pairs) are lists. */
export type Value = boolean | number | bigint | string | readonly Value[] | Variant

/** A value with its type. */
export interface Variant {
  readonly signature: string
  readonly value: Value
}

export const variant = (signature: string, value: Value): Variant => ({ signature, value })

/** The alignment of a type in bytes, by its first letter. */
const alignments: Readonly<Record<string, number>> = {
  y: 1,
  g: 1,
  v: 1,
  n: 2,
  q: 2,
  b: 4,
  i: 4,
  u: 4,
  s: 4,
  o: 4,
  a: 4,
  h: 4,
  x: 8,
  t: 8,
  d: 8,
  '(': 8,
  '{': 8,
}

/** The alignment of a type in bytes. @throws RangeError it is not a type */
export function alignmentOf(type: string): number {
  const alignment = alignments[type[0] ?? '']
  if (alignment === undefined) throw new RangeError(`"${type}" is not a D-Bus type`)
  return alignment
}

/**
 * Splits a signature into its complete types: `a(sv)su` is `a(sv)`, `s` and `u`.
 *
 * @throws RangeError it is not a signature
 * @see D-Bus Specification 0.43 "Type System"
 */
export function typesOf(signature: string): readonly string[] {
  const types: string[] = []
  for (let start = 0; start < signature.length; ) {
    const end = endOfType(signature, start)
    types.push(signature.slice(start, end))
    start = end
  }
  return types
}

/** The types of the members of a struct or a dictionary entry. */
export const membersOf = (type: string): readonly string[] => typesOf(type.slice(1, -1))

function endOfType(signature: string, start: number): number {
  const letter = signature[start] ?? ''
  if (letter === 'a') return endOfType(signature, start + 1)
  if (letter !== '(' && letter !== '{') {
    alignmentOf(letter)
    return start + 1
  }
  let depth = 0
  for (let at = start; at < signature.length; at++) {
    if ('({'.includes(signature[at] ?? '')) depth++
    else if (')}'.includes(signature[at] ?? '') && --depth === 0 && at > start + 1) return at + 1
  }
  throw new RangeError(`"${signature}" is not a D-Bus signature`)
}
