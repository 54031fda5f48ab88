/** A path: a string, of which the system gets the UTF-8, or bytes. */
export type Path = string | Uint8Array

/** The result of a system call, or the negative number of its error. */
export type Answer<T> = T | number

/**
 * The functions that the interpreter (native/interpreter/src/system.rs) gives to JavaScript: one system call each, and what
 * JavaScript cannot do at all, or not fast.
 */
export interface Host {
  /** The interpreter's path and the words behind it, with U+FFFD for what is no UTF-8, as in Node.js. */
  readonly arguments: () => readonly string[]
  /** An object without a prototype, with U+FFFD as in `arguments`. */
  readonly environment: () => Record<string, string | undefined>
  /** pid, ppid, effective uid and gid. */
  readonly identity: () => readonly number[]
  readonly directory: () => Answer<Uint8Array>
  readonly kill: (pid: number, signal: number) => number
  /** From 0 to 1, and not to be foreseen. */
  readonly random: () => number
  readonly sleep: (milliseconds: number) => void
  /** Ends the process at once. */
  readonly exit: (code: number) => never
  /** Nanoseconds of a clock that nobody sets. */
  readonly now: () => number
  readonly randomBytes: (to: Uint8Array) => number
  readonly umask: () => number

  readonly open: (path: Path, flags: number, mode: number) => number
  readonly close: (fd: number) => number
  /** `position` is negative for where the file is. */
  readonly read: (fd: number, to: Uint8Array, offset: number, length: number, position: number) => number
  readonly write: (fd: number, from: Uint8Array, offset: number, length: number) => number
  /** dev, ino, mode, nlink, uid, gid, rdev, size, blksize, blocks, then atime, mtime and ctime in nanoseconds. */
  readonly stat: (path: Path) => Answer<BigInt64Array>
  readonly lstat: (path: Path) => Answer<BigInt64Array>
  readonly fstat: (fd: number) => Answer<BigInt64Array>
  /** type, bsize, blocks, bfree, bavail, files, ffree. */
  readonly statfs: (path: Path) => Answer<BigInt64Array>
  readonly access: (path: Path, mode: number) => number
  readonly readlink: (path: Path) => Answer<Uint8Array>
  /** In the order of their bytes. */
  readonly readdir: (path: Path) => Answer<readonly Uint8Array[]>
  /** The same with one more byte behind each name: its type, the bits of the mode above those of permissions; 0: unknown. */
  readonly readdirTypes: (path: Path) => Answer<readonly Uint8Array[]>
  readonly mkdir: (path: Path, mode: number) => number
  readonly rmdir: (path: Path) => number
  readonly unlink: (path: Path) => number
  readonly rename: (from: Path, to: Path) => number
  readonly chmod: (path: Path, mode: number) => number
  readonly chown: (path: Path, uid: number, gid: number) => number
  readonly fsync: (fd: number) => number
  readonly realpath: (path: Path) => Answer<Uint8Array>

  /** poll(2): what has happened to each descriptor. A negative time is for ever. */
  readonly poll: (fds: readonly number[], events: readonly number[], milliseconds: number) => Answer<BigInt64Array>
  readonly closeOnExec: (fd: number) => number
  /** Another number for the same, which is not below `least`. */
  readonly duplicate: (fd: number, least: number) => number
  readonly socketPair: () => Answer<readonly number[]>
  /** A unix socket that is connected to the one at the path. */
  readonly connect: (path: Path) => number
  /** Writes to a socket what there is room for. */
  readonly send: (fd: number, from: Uint8Array, offset: number, length: number) => number
  readonly shutdown: (fd: number) => number
  /** signalfd(2): these signals are read from a descriptor, `fd` or a new one for -1, and do nothing else. */
  readonly catchSignals: (fd: number, signals: readonly number[]) => number
  readonly defaultSignal: (signal: number) => number
  /** posix_spawn(3), with signals as by default; these descriptors become those from 0 on, a negative one is closed. */
  readonly spawn: (
    path: Path,
    args: readonly Path[],
    env: readonly Path[],
    directory: Path | undefined,
    fds: readonly number[],
    isDetached: boolean,
  ) => number
  /** The status of a child that has ended, as wait(2) has it; EAGAIN while it goes on. */
  readonly wait: (pid: number) => number
  /** inotify(7): a descriptor for `watch`. */
  readonly watcher: () => number
  readonly watch: (fd: number, path: Path, events: number) => number
  readonly isTerminal: (fd: number) => boolean
  /** Columns and rows. */
  readonly terminalSize: (fd: number) => Answer<readonly number[]>

  /** UTF-8, with U+FFFD for each half of a character. */
  readonly encode: (text: string) => Uint8Array
  /** How many bytes were written, or -1 when there is no room. */
  readonly encodeInto: (text: string, to: Uint8Array) => number
  /** With U+FFFD for what is no UTF-8. */
  readonly decode: (bytes: Uint8Array) => string

  /** The names of the modules that `load` has, beside the one that is given this. */
  readonly modules: readonly string[]
  /** The function that a module of the interpreter exports, for CommonJS. Each is loaded once. */
  readonly load: (name: string) => CommonJSFunction
}

export type Require = (name: string) => unknown
export type CommonJSFunction = (
  exports: object,
  require: Require,
  /** `path` is the directory of dist/bin, for the process that runs. */
  module: { readonly exports: object; readonly path: string },
  /** The path of the file; empty for one that is loaded by the build. */
  filename: string,
) => void
