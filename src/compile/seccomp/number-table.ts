/** The most numbers of system calls that an array has room for; those of a few architectures' own calls are far beyond. */
const maxNear = 8192

/**
 * Values by system call number. A Map would do the same; but that of QuickJS puts small numbers into one chain of its hash
 * table, and a call for each of thousands of numbers takes longer than the rest of the compiler.
 */
export class NumberTable<T> {
  /** By the number without `bit`. */
  readonly #near: (T | undefined)[] = []
  readonly #far = new Map<number, T>()
  readonly #bit: number

  /** @param bit the bit that all numbers of the table have, as x32's; numbers without it have no value */
  constructor(bit = 0) {
    this.#bit = bit
  }

  get(number: number): T | undefined {
    const place = number - this.#bit
    return place < maxNear ? this.#near[place] : this.#far.get(number)
  }

  set(number: number, value: T): void {
    const place = number - this.#bit
    const near = this.#near
    if (place >= maxNear) {
      this.#far.set(number, value)
      return
    }
    while (near.length < place) near.push(undefined) // an array with gaps is slow
    near[place] = value
  }

  /** Sets the value of those of these numbers that have none; negative ones are passed over. */
  addAll(numbers: readonly number[], value: T): void {
    const near = this.#near
    const bit = this.#bit
    for (let at = 0; at < numbers.length; at++) {
      const number = numbers[at] ?? -1
      if (number < 0) continue
      const place = number - bit
      if (place >= near.length) {
        if (this.get(number) === undefined) this.set(number, value)
      } else if (near[place] === undefined) near[place] = value
    }
  }

  /** The numbers at which the value is another one than that of the number before. */
  changes(): readonly number[] {
    const near = this.#near
    const numbers: number[] = []
    let last: T | undefined
    for (let place = 0; place < near.length; place++) {
      const value = near[place]
      if (value !== last) numbers.push(this.#bit + place)
      last = value
    }
    numbers.push(this.#bit + near.length)
    for (const number of this.#far.keys()) numbers.push(number, number + 1)
    return numbers
  }

  entries(): readonly (readonly [number: number, value: T])[] {
    const near = this.#near.flatMap((value, place) =>
      value === undefined ? [] : [[this.#bit + place, value] as const],
    )
    return [...near, ...this.#far]
  }
}
