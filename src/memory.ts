/** The number of chunks kept for reuse: no more are in use at a time. */
const maxSpare = 8
const spare: Buffer[] = []
const lent = new WeakSet<ArrayBufferLike>()

/**
 * Memory for a chunk of a stream, of `size` bytes, which may be that of a released chunk.
 *
 * Without reuse, a stream of gigabytes lets 64 MB of garbage gather before the garbage collector runs. A reader that is
 * done with the chunk may pass it to `releaseChunk`; a chunk that is not released is collected as usual.
 */
export function allocateChunk(size: number): Buffer {
  const at = spare.findIndex(({ byteLength }) => byteLength === size)
  const chunk = at === -1 ? Buffer.allocUnsafeSlow(size) : spare.splice(at, 1)[0]
  if (chunk === undefined) throw new Error('a spare chunk is gone')
  lent.add(chunk.buffer)
  return chunk
}

/**
 * Returns the memory of a whole chunk that nothing uses any more; memory that is not from `allocateChunk` is ignored.
 */
export function releaseChunk({ buffer, byteLength }: Uint8Array): void {
  if (buffer.byteLength !== byteLength || !lent.delete(buffer) || spare.length >= maxSpare) return
  spare.push(Buffer.from(buffer))
}
