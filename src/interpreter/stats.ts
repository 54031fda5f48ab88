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

/** @param values as `Host.stat` gives them */
export function statsOf(values: BigInt64Array): Stats {
  const entries = names.map((name, at) => [name, Number(values[at])])
  // As Node.js computes it, from two numbers.
  const milliseconds = times.map((name, at) => {
    const nanoseconds = values[names.length + at] ?? 0n
    return [`${name}Ms`, Number(nanoseconds / billion) * 1000 + Number(nanoseconds % billion) / 1e6]
  })
  return withKinds<Stats>(values, [...entries, ...milliseconds])
}

const billion = 1_000_000_000n

/** The same with `bigint: true`. */
export function bigIntStatsOf(values: BigInt64Array): BigIntStats {
  const entries = names.map((name, at) => [name, BigInt.asUintN(64, values[at] ?? 0n)])
  const all = times.flatMap((name, at) => {
    const nanoseconds = values[names.length + at] ?? 0n
    return [
      [`${name}Ms`, nanoseconds / 1_000_000n],
      [`${name}Ns`, nanoseconds],
    ]
  })
  return withKinds<BigIntStats>(values, [...entries, ...all])
}

function withKinds<T extends Stats | BigIntStats>(values: BigInt64Array, entries: readonly (readonly unknown[])[]): T {
  const mode = Number(values[names.indexOf('mode')])
  return { ...Object.fromEntries(entries as Iterable<readonly [string, unknown]>), ...kindsOf(mode) } as T
}

export function kindsOf(mode: number): Kinds {
  const kind = mode & kinds.mask
  return {
    isFile: () => kind === kinds.file,
    isDirectory: () => kind === kinds.directory,
    isFIFO: () => kind === kinds.fifo,
    isSocket: () => kind === kinds.socket,
    isSymbolicLink: () => kind === kinds.link,
    isBlockDevice: () => kind === kinds.blockDevice,
    isCharacterDevice: () => kind === kinds.characterDevice,
  }
}
