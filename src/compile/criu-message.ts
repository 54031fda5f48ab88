/** The value of a field; undefined leaves it out. */
export type FieldValue = boolean | number | string | Message | undefined
/** Fields by number, in the order in which they are written. A number may come again: the field is repeated. */
export type Message = readonly (readonly [number: number, value: FieldValue])[]

/**
 * Encodes a message for CRIU as a protocol buffer with the two wire types that CRIU uses, varint and length-delimited.
 * Numbers must not be negative.
 * @see criu images/rpc.proto
 */
export function encodeMessage(message: Message): Uint8Array {
  return Uint8Array.from(message.flatMap(([number, value]) => encodeField(number, value)))
}

function encodeField(number: number, value: FieldValue): readonly number[] {
  if (value === undefined) return []
  if (typeof value === 'boolean' || typeof value === 'number') return [...varint(number << 3), ...varint(Number(value))]
  const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : encodeMessage(value)
  return [...varint((number << 3) | 2), ...varint(bytes.length), ...bytes]
}

function varint(value: number): readonly number[] {
  const low = value % 128
  return value < 128 ? [low] : [low | 128, ...varint(Math.floor(value / 128))]
}
