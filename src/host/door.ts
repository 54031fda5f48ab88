import { accessSync, constants, lstatSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { isSystemError } from '../errors.ts'
import type { GuardKind } from '../program/contract.ts'
import { identityOf, linesOf, typeOf } from './mountinfo.ts'
import { readFile } from './read-file.ts'

/** A fact that a program was compiled from. The front (native/front/kept.c) compares it before it uses the program again. */
export interface Guard {
  readonly kind: GuardKind
  /** The path that the fact is about, or for some kinds the key or the kernel's release and version. */
  readonly text: string
  readonly values?: readonly bigint[]
  /** The expected bytes; those of `mounts` follow the type and a NUL. */
  readonly content?: Uint8Array
}

/** The identity and mode of the file or directory that a path leads to. */
export interface Place {
  readonly device: bigint
  readonly inode: bigint
  readonly mode: bigint
}

const mountInfo = '/proc/self/mountinfo'
/** The longest tick of the clock that file systems take their times from. */
const tickNs = 10_000_000n
const maxFileBytes = 64 * 1024 * 1024
/** `S_IFMT` and `S_IFLNK`. */
const [fileType, linkType] = [0o170000n, 0o120000n]

/**
 * The only way in which the compiler's callers read facts of the host. It records each answer as a guard, made from the same
 * bytes as the answer. A question has the same answer for the lifetime of a door.
 */
export class Door {
  readonly #guards: Guard[] = []
  readonly #answers = new Map<string, unknown>()
  #isWatched = true

  /** Guards of all answers so far; undefined if `unwatched` gave one, which no guard can compare. */
  guards(): readonly Guard[] | undefined {
    return this.#isWatched ? this.#guards : undefined
  }

  /**
   * Reads a regular file.
   * @param limit the largest size in bytes
   * @throws OciError and system errors of `readFile`
   */
  read(path: string, limit: number = maxFileBytes): Buffer {
    return this.#once('content', path, () => {
      const content = readFile(path, { limit })
      return [content, { content, values: [BigInt(content.length)] }]
    })
  }

  /** Reads a regular file as text; undefined if there is none. */
  readIfThere(path: string): string | undefined {
    return this.exists(path) ? this.read(path).toString() : undefined
  }

  /** The lines of /proc/self/mountinfo, in order, of mounts whose filesystem type begins with `type`. */
  mounts(type: string): readonly string[] {
    return this.#once('mounts', type, () => {
      const found = linesOf(this.#text(mountInfo)).filter((line) => typeOf(line).startsWith(type))
      const content = Buffer.from([`${type}\0`, ...found.map((line) => `${identityOf(line)}\n`)].join(''))
      return [found, { text: mountInfo, content, values: [BigInt(content.length)] }]
    })
  }

  /** True when a path exists; links are followed. */
  exists(path: string): boolean {
    return this.#once('exists', path, () => {
      const isThere = unlessRefused(() => statSync(path, { throwIfNoEntry: false })) !== undefined
      return [isThere, { kind: isThere ? 'present' : 'absent' }]
    })
  }

  /** True when the caller may execute a path: access(2). */
  isExecutable(path: string): boolean {
    return this.#once('executable', path, () => {
      const mayExecute = isExecutable(path)
      return [mayExecute, { kind: mayExecute ? 'executable' : 'not_executable' }]
    })
  }

  /** The identity of the file at a path, whose last component may be a link, which is not followed; undefined if none exists. */
  place(path: string): Place | undefined {
    return this.#once('place', path, () => {
      const stat = unlessRefused(() => lstatSync(path, { bigint: true, throwIfNoEntry: false }))
      if (stat === undefined) return [undefined, { kind: 'absent' }]
      const { dev: device, ino: inode, mode } = stat
      return [{ device, inode, mode }, { values: [device, inode, mode] }]
    })
  }

  /**
   * Records that a file or directory, where a path leads to, is to be as it is now; or that there is none. It is called before
   * the file is read, by others than this door.
   */
  watch(path: string): void {
    this.#once('file', path, () => {
      const stat = unlessRefused(() => statSync(path, { bigint: true, throwIfNoEntry: false }))
      if (stat === undefined) return [undefined, { kind: 'absent' }]
      const { dev, ino, size, mtimeNs, ctimeNs } = stat
      // A change within the same tick of the kernel's clock would not be seen.
      if (BigInt(Date.now()) * 1_000_000n - ctimeNs < tickNs) this.#isWatched = false
      return [undefined, { values: [dev, ino, size, mtimeNs, ctimeNs] }]
    })
  }

  /** The target of a symbolic link; undefined where there is none. No guard compares a target. */
  linkTarget(path: string): Uint8Array | undefined {
    const mode = this.place(path)?.mode
    if (mode === undefined || (mode & fileType) !== linkType) return undefined
    return this.unwatched(() => readlinkSync(path, { encoding: 'buffer' }))
  }

  /** The effective ids and capabilities of the caller. */
  caller(): { readonly euid: number; readonly egid: number; readonly capabilities: bigint } {
    return this.#once('caller', '', () => {
      const [euid, egid] = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0]
      const status = readFileSync('/proc/self/status', 'utf8')
      const capabilities = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`)
      return [{ euid, egid, capabilities }, { values: [BigInt(euid), BigInt(egid), capabilities] }]
    })
  }

  /**
   * The release and version of the kernel, so that a program is compiled anew for another kernel. They are read from procfs,
   * since node:os takes ten times as long.
   */
  kernel(): string {
    return this.#once('kernel', '', () => {
      const [release, version] = ['osrelease', 'version'].map((name) =>
        this.#text(`/proc/sys/kernel/${name}`).trimEnd(),
      )
      const text = `${release} ${version}`
      return [text, { text }]
    })
  }

  /** Returns the answer of `read`, which no guard compares: a program that is compiled with this door is not kept. */
  unwatched<T>(read: () => T): T {
    this.#isWatched = false
    return read()
  }

  /** Reads a file for several answers, once; it records no guard. */
  #text(path: string): string {
    const key = `text\0${path}`
    const known = this.#answers.get(key)
    if (typeof known === 'string') return known
    const text = readFile(path, { limit: maxFileBytes }).toString()
    this.#answers.set(key, text)
    return text
  }

  #once<T>(question: string, subject: string, ask: () => readonly [answer: T, guard: Partial<Guard>]): T {
    const key = `${question}\0${subject}`
    if (this.#answers.has(key)) return this.#answers.get(key) as T
    const [answer, guard] = ask()
    this.#answers.set(key, answer)
    this.#guards.push({ kind: question as GuardKind, text: subject, ...guard })
    return answer
  }
}

/** Calls `look`; undefined on a system error, such as a missing right: the file then counts as absent. */
export function unlessRefused<T>(look: () => T): T | undefined {
  try {
    return look()
  } catch (error) {
    if (isSystemError(error)) return undefined
    throw error
  }
}

/** True when the caller may execute a path: access(2). */
export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch (error) {
    if (isSystemError(error)) return false
    throw error
  }
}
