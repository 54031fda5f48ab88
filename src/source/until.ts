/** Passes on `content` until the signal aborts, also while no chunk arrives; then throws the signal's reason. */
export async function* until(signal: AbortSignal, content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const pieces = content[Symbol.asyncIterator]()
  let fail = (_reason: unknown) => {}
  const onAbort = () => fail(signal.reason)
  signal.addEventListener('abort', onAbort)
  try {
    for (;;) {
      signal.throwIfAborted()
      // Promise.race with one promise of the failure would keep every chunk that ever won.
      const { done, value } = await new Promise<IteratorResult<Uint8Array>>((resolve, reject) => {
        fail = reject
        pieces.next().then(resolve, reject)
      })
      if (done === true) return
      yield value
    }
  } finally {
    signal.removeEventListener('abort', onAbort)
    pieces.return?.().catch(() => {}) // the reader has all that it wants, or the error that ended the stream
  }
}
