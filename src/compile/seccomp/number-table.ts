/** The most numbers of system calls that an array has room for; those of a few architectures' own calls are far beyond. */
const maxNear = 8192
/** Those of a number without the bit that all numbers of an ABI may have, as x32's. */
const nearBits = 0x3fffffff

/**
 * Values by system call number. A Map would do the same; but that of QuickJS puts small numbers into one chain of its hash
 * table.
 */
export class NumberTable<T> {
  readonly #near: (T | undefined)[] = []
  readonly #far = new Map<number, T>()
  readonly #numbers: number[] = []
  #bits = 0

  get(number: number): T | undefined {
    const place = number & nearBits
    if (number - place !== this.#bits) return undefined
    return place < maxNear ? this.#near[place] : this.#far.get(number)
  }

  /** Sets the value of a number that has none. */
  add(number: number, value: T): void {
    if (this.get(number) === undefined) this.set(number, value)
  }

  /** Sets the value of a number, which has the same upper bits as all others in the table. */
  set(number: number, value: T): void {
    const place = number & nearBits
    this.#bits = number - place
    if (this.get(number) === undefined) this.#numbers.push(number)
    if (place >= maxNear) {
      this.#far.set(number, value)
      return
    }
    while (this.#near.length < place) this.#near.push(undefined) // an array with gaps is slow
    this.#near[place] = value
  }

  /** The numbers, in the order in which they were set first. */
  get numbers(): readonly number[] {
    return this.#numbers
  }
}
