/** The types of files, by the bits of the mode. @see man 7 inode */
const kinds = {
  mask: 0o170000,
  directory: 0o040000,
  file: 0o100000,
  fifo: 0o010000,
  socket: 0o140000,
  link: 0o120000,
  blockDevice: 0o060000,
  characterDevice: 0o020000,
}

const names = ['dev', 'ino', 'mode', 'nlink', 'uid', 'gid', 'rdev', 'size', 'blksize', 'blocks'] as const
const times = ['atime', 'mtime', 'ctime'] as const
const modePlace: number = names.indexOf('mode')

type Numbers<T> = Readonly<Record<(typeof names)[number] | `${(typeof times)[number]}Ms`, T>>

/** The type of a file. */
export interface Kinds {
  readonly isFile: () => boolean
  readonly isDirectory: () => boolean
  readonly isFIFO: () => boolean
  readonly isSocket: () => boolean
  readonly isSymbolicLink: () => boolean
  readonly isBlockDevice: () => boolean
  readonly isCharacterDevice: () => boolean
}

/** Facts of a file, as far as the runtime uses them. */
export interface Stats<T = number> extends Numbers<T>, Kinds {}

export interface BigIntStats extends Stats<bigint>, Readonly<Record<`${(typeof times)[number]}Ns`, bigint>> {}

/** The type of a file with this mode. */
class KindsOfMode implements Kinds {
  readonly #kind: number

  constructor(mode: number) {
    this.#kind = mode & kinds.mask
  }

  isFile(): boolean {
    return this.#kind === kinds.file
  }

  isDirectory(): boolean {
    return this.#kind === kinds.directory
  }

  isFIFO(): boolean {
    return this.#kind === kinds.fifo
  }

  isSocket(): boolean {
    return this.#kind === kinds.socket
  }

  isSymbolicLink(): boolean {
    return this.#kind === kinds.link
  }

  isBlockDevice(): boolean {
    return this.#kind === kinds.blockDevice
  }

  isCharacterDevice(): boolean {
    return this.#kind === kinds.characterDevice
  }
}

/** Facts that are computed when they are asked for: of twenty, most callers want one. */
class Facts extends KindsOfMode {
  /** As `Host.stat` gives them. */
  readonly values: BigInt64Array

  constructor(values: BigInt64Array) {
    super(Number(values[modePlace]))
    this.values = values
  }
}

class NumberFacts extends Facts {}
class BigIntFacts extends Facts {}

const billion = 1_000_000_000n

names.forEach((name, at) => {
  define(NumberFacts, name, (values) => Number(values[at]))
  define(BigIntFacts, name, (values) => BigInt.asUintN(64, values[at] ?? 0n))
})
times.forEach((name, index) => {
  const at = names.length + index
  const nanoseconds = (values: BigInt64Array): bigint => values[at] ?? 0n
  // As Node.js computes it, from two numbers.
  define(NumberFacts, `${name}Ms`, (values) => {
    return Number(nanoseconds(values) / billion) * 1000 + Number(nanoseconds(values) % billion) / 1e6
  })
  define(BigIntFacts, `${name}Ms`, (values) => nanoseconds(values) / 1_000_000n)
  define(BigIntFacts, `${name}Ns`, nanoseconds)
})

function define(facts: typeof Facts, name: string, of: (values: BigInt64Array) => number | bigint): void {
  const get = function (this: Facts): number | bigint {
    return of(this.values)
  }
  Object.defineProperty(facts.prototype, name, { get })
}

/** @param values as `Host.stat` gives them */
export const statsOf = (values: BigInt64Array): Stats => new NumberFacts(values) as Facts & Numbers<number>

/** The same with `bigint: true`. */
export const bigIntStatsOf = (values: BigInt64Array): BigIntStats =>
  new BigIntFacts(values) as Facts & Omit<BigIntStats, keyof Kinds>

/** An entry of a directory, as Node.js has it. */
export class Dirent extends KindsOfMode {
  readonly name: string
  readonly parentPath: string

  constructor(name: string, parentPath: string, mode: number) {
    super(mode)
    this.name = name
    this.parentPath = parentPath
  }
}
