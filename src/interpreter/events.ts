type Listener = (...args: unknown[]) => void

export interface Registered {
  readonly listener: Listener
  readonly isOnce: boolean
}

/** The class EventEmitter of `node:events`, as far as the runtime uses it. */
export class EventEmitter {
  readonly #listeners = new Map<string, readonly Registered[]>()

  on(name: string, listener: Listener): this {
    return this.#add(name, { listener, isOnce: false })
  }

  once(name: string, listener: Listener): this {
    return this.#add(name, { listener, isOnce: true })
  }

  off(name: string, listener: Listener): this {
    return this.removeListener(name, listener)
  }

  removeListener(name: string, listener: Listener): this {
    const all = this.#listeners.get(name) ?? []
    const at = all.findLastIndex((registered) => registered.listener === listener)
    if (at >= 0) this.#set(name, all.toSpliced(at, 1))
    return this
  }

  removeAllListeners(name: string): this {
    this.#set(name, [])
    return this
  }

  listenerCount(name: string): number {
    return this.#listeners.get(name)?.length ?? 0
  }

  /** @throws the first argument, for an event 'error' that nobody listens to */
  emit(name: string, ...args: unknown[]): boolean {
    const all = this.#listeners.get(name) ?? []
    if (all.length === 0 && name === 'error') throw args[0]
    for (const { listener, isOnce } of all) {
      if (isOnce) this.removeListener(name, listener)
      listener.apply(this, args)
    }
    return all.length > 0
  }

  #add(name: string, registered: Registered): this {
    this.#set(name, [...(this.#listeners.get(name) ?? []), registered])
    return this
  }

  #set(name: string, all: readonly Registered[]): void {
    if (all.length === 0) this.#listeners.delete(name)
    else this.#listeners.set(name, all)
    this.listenersChanged(name, all.length)
  }

  /** For classes that do something for those who listen. */
  protected listenersChanged(_name: string, _count: number): void {}
}
