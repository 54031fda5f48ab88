/** A path: a string, of which the system gets the UTF-8, or bytes. */
export type Path = string | Uint8Array

/** The result of a system call, or the negative number of its error. */
export type Answer<T> = T | number

/**
 * The functions that the interpreter (native/interpreter/src/system.rs) gives to JavaScript: one system call each, and what
 * JavaScript cannot do at all, or not fast.
 */
export interface Host {
  /** The bytes of the interpreter's path and of the words behind it. */
  readonly arguments: () => readonly Uint8Array[]
  /** `NAME=VALUE`, in their order. */
  readonly environment: () => readonly Uint8Array[]
  /** pid, ppid, effective uid and gid. */
  readonly identity: () => readonly number[]
  readonly directory: () => Answer<Uint8Array>
  readonly kill: (pid: number, signal: number) => number
  /** From 0 to 1, and not to be foreseen. */
  readonly random: () => number
  readonly sleep: (milliseconds: number) => void

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
  readonly mkdir: (path: Path, mode: number) => number
  readonly rmdir: (path: Path) => number
  readonly unlink: (path: Path) => number
  readonly rename: (from: Path, to: Path) => number
  readonly chmod: (path: Path, mode: number) => number

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
) => void
