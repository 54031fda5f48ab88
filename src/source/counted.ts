/** Passes bytes on, and calls `onBytes` with the number taken so far. */
export async function* counted(
  content: AsyncIterable<Uint8Array>,
  onBytes: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  let bytes = 0
  for await (const chunk of content) {
    // Counted before the yield: the reader may transfer the chunk's memory.
    bytes += chunk.byteLength
    yield chunk
    onBytes(bytes)
  }
}
