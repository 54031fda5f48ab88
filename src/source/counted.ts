/** Passes bytes on, and tells how many have been taken so far. */
export async function* counted(
  content: AsyncIterable<Uint8Array>,
  onBytes: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  let bytes = 0
  for await (const chunk of content) {
    // Whoever gets the chunk may give its memory away.
    bytes += chunk.byteLength
    yield chunk
    onBytes(bytes)
  }
}
