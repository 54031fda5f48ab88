/** Chunks that are kept for the next reader; more than what is on its way at any time is not. */
const maxSpare = 8
const spare: Buffer[] = []
const lent = new WeakSet<ArrayBufferLike>()

/**
 * Memory for a chunk of a stream, of `size` bytes.
 *
 * What is read by the gigabyte would otherwise wait for the garbage collector, which lets 64 MB gather first.
 * Whoever is through with the chunk may `release` it; one that is not released is garbage as any other.
 */
export function allocateChunk(size: number): Buffer {
  const at = spare.findIndex(({ byteLength }) => byteLength === size)
  const chunk = at === -1 ? Buffer.allocUnsafeSlow(size) : spare.splice(at, 1)[0]
  if (chunk === undefined) throw new Error('a spare chunk is gone')
  lent.add(chunk.buffer)
  return chunk
}

/** Gives back the memory of a whole chunk that nobody uses any more; what is not from here is left alone. */
export function releaseChunk({ buffer, byteLength }: Uint8Array): void {
  if (buffer.byteLength !== byteLength || !lent.delete(buffer) || spare.length >= maxSpare) return
  spare.push(Buffer.from(buffer))
}
