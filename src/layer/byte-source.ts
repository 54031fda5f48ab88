/** A stream of bytes read in pieces of the reader's choice. */
export interface ByteSource {
  /** Bytes read from the stream so far. */
  readonly bytesRead: number
  /** The next piece as it arrives, or undefined at the end. */
  next(): Promise<Buffer | undefined>
  /** The next `length` bytes, or fewer at the end of the stream. */
  take(length: number): Promise<Buffer>
  /** Puts bytes back; the next read returns them. */
  unread(bytes: Buffer): void
  /** Reads to the end, so that a stream that verifies itself sees every byte. */
  drain(): Promise<void>
  /** Closes the stream, of which no more will be read. */
  close(): Promise<void>
}

/** A byte source over `content`, which is closed only by `close`. */
export function byteSource(content: AsyncIterable<Uint8Array>): ByteSource {
  const iterator = content[Symbol.asyncIterator]()
  const returned: Buffer[] = []
  let bytesRead = 0

  async function next(): Promise<Buffer | undefined> {
    const first = returned.pop()
    if (first !== undefined) return first
    for (;;) {
      const { done, value } = await iterator.next()
      if (done === true) return undefined
      if (value.byteLength === 0) continue
      bytesRead += value.byteLength
      return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    }
  }

  async function take(length: number): Promise<Buffer> {
    const pieces: Buffer[] = []
    let got = 0
    while (got < length) {
      const piece = await next()
      if (piece === undefined) break
      pieces.push(piece)
      got += piece.length
    }
    const all = pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces)
    if (all.length > length) unread(all.subarray(length))
    return all.subarray(0, length)
  }

  function unread(bytes: Buffer): void {
    if (bytes.length > 0) returned.push(bytes)
  }

  async function drain(): Promise<void> {
    while ((await next()) !== undefined);
  }

  async function close(): Promise<void> {
    await iterator.return?.()
  }

  return {
    next,
    take,
    unread,
    drain,
    close,
    get bytesRead() {
      return bytesRead
    },
  }
}

/** The rest of the stream, in the pieces in which it arrives. */
export async function* pieces(source: ByteSource): AsyncGenerator<Buffer> {
  for (let piece = await source.next(); piece !== undefined; piece = await source.next()) yield piece
}
