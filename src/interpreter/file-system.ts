import type { BufferFunctions } from './buffer.ts'
import type { Answer, Host, Path } from './host.ts'
import { type BigIntStats, bigIntStatsOf, Dirent, type Stats, statsOf } from './stats.ts'
import { type FailedCall, systemError } from './system-error.ts'

/** Constants of open(2) and access(2), which are the same on x86-64 and on arm64 but for O_NOFOLLOW and O_DIRECTORY. */
function constantsOf(arch: string) {
  const isArm = arch === 'arm64'
  return {
    R_OK: 4,
    W_OK: 2,
    X_OK: 1,
    F_OK: 0,
    O_RDONLY: 0,
    O_WRONLY: 1,
    O_RDWR: 2,
    O_CREAT: 0o100,
    O_EXCL: 0o200,
    O_NOCTTY: 0o400,
    O_TRUNC: 0o1000,
    O_APPEND: 0o2000,
    O_NONBLOCK: 0o4000,
    O_DIRECTORY: isArm ? 0o40000 : 0o200000,
    O_NOFOLLOW: isArm ? 0o100000 : 0o400000,
  }
}

export interface StatOptions {
  readonly bigint?: boolean
  readonly throwIfNoEntry?: boolean
}

type Content = string | Uint8Array

export interface WriteOptions {
  readonly mode?: number
  readonly flag?: string
  /** True to have the content on the disk before the file is closed. */
  readonly flush?: boolean
}

type ReadOptions = 'utf8' | 'latin1' | { readonly encoding?: 'utf8' | 'latin1' | 'buffer' }

/** Makes `node:fs`, as far as the runtime uses it. Each function does what Node.js does, and fails as it does there. */
export function makeFileSystem(host: Host, buffers: BufferFunctions, arch: string) {
  const constants = constantsOf(arch)

  const { O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC, O_APPEND } = constants
  const flagsOf: Readonly<Record<string, number>> = {
    r: O_RDONLY,
    'r+': O_RDWR,
    w: O_WRONLY | O_CREAT | O_TRUNC,
    wx: O_WRONLY | O_CREAT | O_TRUNC | O_EXCL,
    a: O_WRONLY | O_CREAT | O_APPEND,
  }

  function openSync(path: Path, flags: number | string = O_RDONLY, mode = 0o666): number {
    const number = typeof flags === 'number' ? flags : flagsOf[flags]
    if (number === undefined) throw new TypeError(`the interpreter has no flags "${flags}"`)
    return checked(host.open(plain(path), number, mode), { syscall: 'open', path: shown(path) })
  }

  function closeSync(fd: number): void {
    checked(host.close(fd), { syscall: 'close' })
  }

  function readSync(
    fd: number,
    to: Uint8Array,
    offset = 0,
    length = to.length - offset,
    position: number | null = null,
  ): number {
    return checked(host.read(fd, to, offset, length, position ?? -1), { syscall: 'read' })
  }

  function writeSync(fd: number, from: Content, offset = 0): number {
    const bytes = bytesOf(from)
    return checked(host.write(fd, bytes, offset, bytes.length - offset), { syscall: 'write' })
  }

  /** The content of a file, read to its end: one of procfs says that it has no size. */
  function readFileSync(path: Path, options: ReadOptions = {}): Content {
    const fd = openSync(path)
    try {
      const content = readAll(fd)
      const encoding = typeof options === 'string' ? options : options.encoding
      return encoding === undefined || encoding === 'buffer' ? content : content.toString(encoding)
    } finally {
      closeSync(fd)
    }
  }

  function readAll(fd: number): { toString(encoding?: string): string } & Uint8Array {
    const size = fstatSync(fd).size
    let bytes = buffers.allocUnsafe(size > 0 ? size + 1 : 8192)
    for (let used = 0; ; ) {
      const count = readSync(fd, bytes, used)
      used += count
      if (count === 0) return bytes.subarray(0, used)
      if (used === bytes.length) bytes = buffers.concat([bytes], 2 * bytes.length)
    }
  }

  function writeFileSync(to: Path | number, content: Content, options: WriteOptions = {}): void {
    const { mode, flag = 'w', flush = false } = options
    const fd = typeof to === 'number' ? to : openSync(to, flag, mode)
    try {
      const bytes = bytesOf(content)
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at)
      if (flush) checked(host.fsync(fd), { syscall: 'fsync' })
    } finally {
      if (typeof to !== 'number') closeSync(fd)
    }
  }

  /** Removes a file, or with `recursive` a directory and all that is in it. With `force`, nothing need be there. */
  function rmSync(path: Path, { force = false, recursive = false }: RemoveOptions = {}): void {
    const call = { path: shown(path), syscall: 'rm' }
    const values = recursive ? host.lstat(plain(path)) : undefined
    if (typeof values === 'object' && statsOf(values).isDirectory()) {
      const names = host.readdir(path)
      if (force && names === -ENOENT) return // another has removed it meanwhile
      for (const name of checked(names, call)) rmSync(below(path, name), { force, recursive })
      const result = host.rmdir(path)
      if (!force || result !== -ENOENT) checked(result, call)
      return
    }
    const result = host.unlink(plain(path))
    if (!force || result !== -ENOENT) checked(result, { ...call, syscall: 'unlink' })
  }

  const below = (path: Path, name: Uint8Array): Path => buffers.concat([bytesOf(path), bytesOf('/'), name])

  function readdirSync(path: Path, options: { readonly withFileTypes?: boolean } = {}): readonly (string | Dirent)[] {
    const call = { syscall: 'scandir', path: shown(path) }
    if (!options.withFileTypes) return checked(host.readdir(plain(path)), call).map(host.decode)
    return checked(host.readdirTypes(plain(path)), call).map(
      (entry) => new Dirent(host.decode(entry.subarray(0, -1)), shown(path), (entry.at(-1) ?? 0) << 12),
    )
  }

  const bytesOf = (content: Content): Uint8Array => (typeof content === 'string' ? host.encode(content) : content)

  function statBy(syscall: 'stat' | 'lstat') {
    function statSync(path: Path, options: StatOptions = {}): Stats | BigIntStats | undefined {
      const values = host[syscall](plain(path))
      const { throwIfNoEntry = true, bigint = false } = options
      if (!throwIfNoEntry && values === -ENOENT) return undefined
      const found = checked(values, { syscall, path: shown(path) })
      return bigint ? bigIntStatsOf(found) : statsOf(found)
    }
    return statSync
  }

  function fstatSync(fd: number): Stats {
    return statsOf(checked(host.fstat(fd), { syscall: 'fstat' }))
  }

  function shown(path: Path): string {
    return typeof path === 'string' ? path : host.decode(path)
  }

  const onPath =
    (syscall: string, call: (path: Path) => number) =>
    (path: Path): void => {
      checked(call(plain(path)), { syscall, path: shown(path) })
    }

  return {
    constants,
    openSync,
    closeSync,
    readSync,
    writeSync,
    readFileSync,
    fstatSync,
    statSync: statBy('stat'),
    lstatSync: statBy('lstat'),
    writeFileSync,
    appendFileSync: (path: Path, content: Content, options: WriteOptions = {}) =>
      writeFileSync(path, content, { flag: 'a', ...options }),
    existsSync: (path: Path): boolean => !hasNul(path) && host.access(path, constants.F_OK) === 0,
    accessSync: (path: Path, mode: number = constants.F_OK): void =>
      onPath('access', (place) => host.access(place, mode))(path),
    mkdirSync: (path: Path, options: number | { readonly mode?: number } = {}): void => {
      const { mode = 0o777 } = typeof options === 'number' ? { mode: options } : options
      onPath('mkdir', (place) => host.mkdir(place, mode))(path)
    },
    chmodSync: (path: Path, mode: number): void => onPath('chmod', (place) => host.chmod(place, mode))(path),
    rmdirSync: onPath('rmdir', host.rmdir),
    renameSync: (from: Path, to: Path): void => {
      checked(host.rename(plain(from), plain(to)), { syscall: 'rename', path: shown(from), dest: shown(to) })
    },
    rmSync,
    unlinkSync: onPath('unlink', host.unlink),
    chownSync: (path: Path, uid: number, gid: number): void =>
      onPath('chown', (place) => host.chown(place, uid, gid))(path),
    realpathSync: (path: Path): string =>
      host.decode(checked(host.realpath(plain(path)), { syscall: 'realpath', path: shown(path) })),
    readlinkSync: (path: Path, { encoding = 'utf8' }: { readonly encoding?: 'utf8' | 'buffer' } = {}): Content => {
      const target = checked(host.readlink(plain(path)), { syscall: 'readlink', path: shown(path) })
      return encoding === 'buffer' ? buffers.concat([target]) : host.decode(target)
    },
    readdirSync,
    statfsSync: (path: Path): Readonly<Record<(typeof statfsNames)[number], number>> => {
      const values = checked(host.statfs(plain(path)), { syscall: 'statfs', path: shown(path) })
      return Object.fromEntries(statfsNames.map((name, at) => [name, Number(values[at])])) as never
    },
  }
}

export interface RemoveOptions {
  readonly force?: boolean
  readonly recursive?: boolean
}

const statfsNames = ['type', 'bsize', 'blocks', 'bfree', 'bavail', 'files', 'ffree'] as const

const ENOENT = 2

/** @throws the system's error, for the number of one */
function checked<T>(answer: Answer<T>, call: FailedCall): T {
  if (typeof answer === 'number' && answer < 0) throw systemError(answer, call)
  return answer as T
}

const hasNul = (path: Path): boolean => (typeof path === 'string' ? path.includes('\0') : path.includes(0))

/** @throws TypeError `ERR_INVALID_ARG_VALUE` for a path that the system would see the beginning of */
function plain(path: Path): Path {
  if (!hasNul(path)) return path
  const reason = `The argument 'path' must be a string, Uint8Array, or URL without null bytes. Received ${JSON.stringify(path)}`
  throw Object.assign(new TypeError(reason), { code: 'ERR_INVALID_ARG_VALUE' })
}
