import type { Host } from './host.ts'
import { systemError } from './system-error.ts'

type Listener = (error: Error) => void

/** A standard stream: each text is written before `write` returns. An error is the listeners' to know of. */
interface Stream {
  readonly fd: number
  readonly write: (text: string) => boolean
  readonly on: (event: 'error', listener: Listener) => Stream
  readonly listenerCount: (event: 'error') => number
}

/** `process` of Node.js, as far as the runtime uses it. */
export interface ProcessObject {
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly arch: string
  readonly pid: number
  readonly ppid: number
  readonly stderr: Stream
  readonly geteuid: () => number
  readonly getegid: () => number
  readonly cwd: () => string
  readonly kill: (pid: number, signal: number) => true
}

/**
 * Makes `process`. What it says of the process is asked of the host when it is used: before that, no process may run the program.
 *
 * @param arch as Node.js names it
 */
export function makeProcess(host: Host, arch: string): ProcessObject {
  const argv = once(() => host.arguments().map(host.decode))
  const env = once(() => environmentOf(host.environment().map(host.decode)))
  const identity = once(host.identity)
  return {
    get argv() {
      return argv()
    },
    get env() {
      return env()
    },
    arch,
    get pid() {
      return identity()[0] ?? 0
    },
    get ppid() {
      return identity()[1] ?? 0
    },
    stderr: makeStream(host, 2),
    geteuid: () => identity()[2] ?? 0,
    getegid: () => identity()[3] ?? 0,
    cwd: () => {
      const path = host.directory()
      if (typeof path === 'number') throw systemError(path, { syscall: 'uv_cwd' })
      return host.decode(path)
    },
    kill: (target, signal) => {
      const result = host.kill(target, signal)
      if (result >= 0) return true
      const error = systemError(result, { syscall: 'kill' })
      throw Object.assign(error, { message: `kill ${error.code}` }) // as in Node.js
    },
  }
}

function once<T>(ask: () => T): () => T {
  let answer: T | undefined
  return () => {
    answer ??= ask()
    return answer
  }
}

/** The first value of a variable that occurs twice counts, as in getenv(3). */
function environmentOf(entries: readonly string[]): Readonly<Record<string, string>> {
  const env: Record<string, string> = Object.create(null)
  for (const entry of entries) {
    const end = entry.indexOf('=')
    const name = entry.slice(0, end)
    if (end > 0 && !(name in env)) env[name] = entry.slice(end + 1)
  }
  return env
}

function makeStream({ encode, write }: Host, fd: number): Stream {
  const listeners: Listener[] = []
  const stream: Stream = {
    fd,
    write: (text) => {
      const bytes = encode(text)
      for (let at = 0; at < bytes.length; ) {
        const count = write(fd, bytes, at, bytes.length - at)
        if (count < 0) {
          const error = systemError(count, { syscall: 'write' })
          if (listeners.length === 0) throw error
          for (const listener of listeners) listener(error)
          return false
        }
        at += count
      }
      return true
    },
    on: (_, listener) => {
      listeners.push(listener)
      return stream
    },
    listenerCount: () => listeners.length,
  }
  return stream
}
