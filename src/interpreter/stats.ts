/** The types of files, by the bits of the mode. @see man 7 inode */
const kinds = { mask: 0o170000, directory: 0o040000, file: 0o100000, fifo: 0o010000, socket: 0o140000, link: 0o120000 }

const names = ['dev', 'ino', 'mode', 'nlink', 'uid', 'gid', 'rdev', 'size', 'blksize', 'blocks'] as const
const times = ['atime', 'mtime', 'ctime'] as const

type Numbers<T> = Readonly<Record<(typeof names)[number] | `${(typeof times)[number]}Ms`, T>>

/** Facts of a file, as far as the runtime uses them. */
export interface Stats<T = number> extends Numbers<T> {
  readonly isFile: () => boolean
  readonly isDirectory: () => boolean
  readonly isFIFO: () => boolean
  readonly isSocket: () => boolean
  readonly isSymbolicLink: () => boolean
}

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
  const kind = Number(values[names.indexOf('mode')]) & kinds.mask
  return {
    ...Object.fromEntries(entries as Iterable<readonly [string, unknown]>),
    isFile: () => kind === kinds.file,
    isDirectory: () => kind === kinds.directory,
    isFIFO: () => kind === kinds.fifo,
    isSocket: () => kind === kinds.socket,
    isSymbolicLink: () => kind === kinds.link,
  } as T
}
