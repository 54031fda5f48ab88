type Listener = (event: { readonly type: 'abort'; readonly target: AbortSignalSubset }) => void

/** The class AbortSignal, as far as the runtime uses it. @see DOM Standard "Interface AbortSignal" */
export class AbortSignalSubset {
  readonly #listeners = new Map<Listener, boolean>()
  #reason: unknown
  #isAborted = false

  get aborted(): boolean {
    return this.#isAborted
  }

  get reason(): unknown {
    return this.#reason
  }

  throwIfAborted(): void {
    if (this.#isAborted) throw this.#reason
  }

  addEventListener(_type: 'abort', listener: Listener, { once = false }: { readonly once?: boolean } = {}): void {
    if (!this.#listeners.has(listener)) this.#listeners.set(listener, once)
  }

  removeEventListener(_type: 'abort', listener: Listener): void {
    this.#listeners.delete(listener)
  }

  /** Aborts the signal; it can be called by the controller alone, which has it from `makeAbort`. */
  static readonly abortBy = (signal: AbortSignalSubset, reason: unknown): void => {
    if (signal.#isAborted) return
    signal.#isAborted = true
    signal.#reason = reason
    for (const [listener, isOnce] of [...signal.#listeners]) {
      if (isOnce) signal.#listeners.delete(listener)
      listener({ type: 'abort', target: signal })
    }
  }
}

/** The class AbortController. */
export class AbortControllerSubset {
  readonly signal: AbortSignalSubset = new AbortSignalSubset()

  abort(
    reason: unknown = Object.assign(new Error('This operation was aborted'), { name: 'AbortError', code: 20 }),
  ): void {
    AbortSignalSubset.abortBy(this.signal, reason)
  }
}
