import { accessSync, constants, lstatSync, readFileSync, statSync } from 'node:fs'
import { isSystemError } from '../errors.ts'
import type { GuardKind } from '../program/contract.ts'
import { identityOf, linesOf, typeOf } from './mountinfo.ts'
import { readFile } from './read-file.ts'

/** A fact that a program was compiled from, as the front compares it before the program is used again (native/front/kept.c). */
export interface Guard {
  readonly kind: GuardKind
  /** The path that the fact is about, the key, or the text of the kernel. */
  readonly text: string
  readonly values?: readonly bigint[]
  /** The bytes that must be there; of `mounts`, behind the type and its NUL. */
  readonly content?: Uint8Array
}

/** The file or directory that a path leads to. */
export interface Place {
  readonly device: bigint
  readonly inode: bigint
  readonly mode: bigint
}

const mountInfo = '/proc/self/mountinfo'
const maxFileBytes = 64 * 1024 * 1024

/**
 * The one way in which the compiler's callers read facts of the host: each answer is recorded as a guard, made of the very
 * bytes that were answered. The same question has the same answer for as long as the door is used.
 */
export class Door {
  readonly #guards: Guard[] = []
  readonly #answers = new Map<string, unknown>()
  #isWatched = true

  /** Every answer until now; undefined when one of them is no guard's to compare. */
  guards(): readonly Guard[] | undefined {
    return this.#isWatched ? this.#guards : undefined
  }

  /**
   * The content of a regular file.
   * @throws OciError and system errors as `readFile`
   */
  read(path: string, limit: number = maxFileBytes): Buffer {
    return this.#once('content', path, () => {
      const content = readFile(path, { limit })
      return [content, { content, values: [BigInt(content.length)] }]
    })
  }

  /** The content of a regular file as text, or undefined where there is none. */
  readIfThere(path: string): string | undefined {
    return this.exists(path) ? this.read(path).toString() : undefined
  }

  /** The lines of /proc/self/mountinfo for mounts of the file systems whose types begin with `type`, in their order. */
  mounts(type: string): readonly string[] {
    return this.#once('mounts', type, () => {
      const found = linesOf(this.#text(mountInfo)).filter((line) => typeOf(line).startsWith(type))
      const content = Buffer.from([`${type}\0`, ...found.map((line) => `${identityOf(line)}\n`)].join(''))
      return [found, { text: mountInfo, content, values: [BigInt(content.length)] }]
    })
  }

  /** Whether a path leads to something; links are followed. */
  exists(path: string): boolean {
    return this.#once('exists', path, () => {
      const isThere = unlessRefused(() => statSync(path, { throwIfNoEntry: false })) !== undefined
      return [isThere, { kind: isThere ? 'present' : 'absent' }]
    })
  }

  /** Whether the caller may execute a path: access(2). */
  isExecutable(path: string): boolean {
    return this.#once('executable', path, () => {
      const mayExecute = isExecutable(path)
      return [mayExecute, { kind: mayExecute ? 'executable' : 'not_executable' }]
    })
  }

  /** What a path leads to; a link is not followed. Undefined where there is nothing. */
  place(path: string): Place | undefined {
    return this.#once('place', path, () => {
      const stat = unlessRefused(() => lstatSync(path, { bigint: true, throwIfNoEntry: false }))
      if (stat === undefined) return [undefined, { kind: 'absent' }]
      const { dev: device, ino: inode, mode } = stat
      return [{ device, inode, mode }, { values: [device, inode, mode] }]
    })
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

  /** Release and version of the kernel, which decide what the compiler takes for granted; node:os takes ten times as long. */
  kernel(): string {
    return this.#once('kernel', '', () => {
      const [release, version] = ['osrelease', 'version'].map((name) =>
        this.#text(`/proc/sys/kernel/${name}`).trimEnd(),
      )
      const text = `${release} ${version}`
      return [text, { text }]
    })
  }

  /** An answer that no guard compares: a program that is compiled from it is not kept. */
  unwatched<T>(read: () => T): T {
    this.#isWatched = false
    return read()
  }

  /** What several answers are taken from, read once. */
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

/** Undefined where the caller may not look, which is the same as nothing being there. */
function unlessRefused<T>(look: () => T): T | undefined {
  try {
    return look()
  } catch (error) {
    if (isSystemError(error)) return undefined
    throw error
  }
}

/** Whether the caller may execute a path: access(2). */
export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch (error) {
    if (isSystemError(error)) return false
    throw error
  }
}
