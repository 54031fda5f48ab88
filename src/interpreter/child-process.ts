import { EventEmitter } from './events.ts'
import { signals } from './os.ts'
import type { Signals } from './signals.ts'
import { Stream, type StreamHost } from './stream.ts'
import { eventError, systemError } from './system-error.ts'

type Stdio = 'pipe' | 'ignore' | 'inherit' | number

export interface SpawnOptions {
  readonly argv0?: string
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Default: three pipes. */
  readonly stdio?: readonly Stdio[]
  readonly detached?: boolean
  /** Milliseconds after which the process is ended by `killSignal`. */
  readonly timeout?: number
  readonly killSignal?: string
}

interface Means extends StreamHost {
  readonly signals: Signals
  readonly process: { readonly env: Readonly<Record<string, string | undefined>> }
  readonly setTimeout: (callback: () => void, milliseconds: number) => unknown
  readonly clearTimeout: (timer: never) => void
}

const [ENOENT, EACCES, ENOTDIR, EAGAIN] = [-2, -13, -20, -11]
/** Where a process is started from that has no PATH. @see man 3 execvp */
const defaultPath = '/bin:/usr/bin'

/** Makes `node:child_process`, as far as the runtime uses it. */
export function makeChildProcess(means: Means) {
  const { host, loop } = means
  const running = new Map<number, ChildProcess>()
  let isPrepared = false

  /** The children that have ended; one signal may stand for several. */
  function reap(): void {
    for (const [pid, child] of running) {
      const status = host.wait(pid)
      if (status === EAGAIN) continue
      running.delete(pid)
      if (running.size === 0) means.signals.release(signals.SIGCHLD ?? 0)
      loop.soon(() => child.ended(Math.max(status, 0)))
    }
  }

  const send = (pid: number, signal: number): boolean => running.has(pid) && host.kill(pid, signal) >= 0

  /** As Node.js does when it starts: a child has the descriptors that it is given, and no more. */
  function prepare(): void {
    for (let fd = 0; !isPrepared; fd++) isPrepared = host.closeOnExec(fd) < 0 && fd > 15
  }

  function spawn(file: string, args: readonly string[], options: SpawnOptions = {}): ChildProcess {
    const { stdio = ['pipe', 'pipe', 'pipe'], argv0 = file, env = means.process.env, detached = false } = options
    prepare()
    const opened: number[] = []
    const own = stdio.map((how, fd): readonly [number, Stream | null] => {
      if (typeof how === 'number') return [how, null]
      if (how === 'inherit') return [fd, null]
      if (how === 'ignore') return [keep(host.open('/dev/null', fd === 0 ? 0 : 2, 0), opened), null]
      const [ours = -1, theirs = -1] = pair()
      return [keep(theirs, opened), new Stream(means, ours, { isReadable: fd > 0 })]
    })
    const child = new ChildProcess(
      own.map(([, stream]) => stream),
      send,
    )
    // One of these could be overwritten by another before it is given to the child.
    const given = own.map(([fd], at) =>
      fd === at || fd >= own.length ? fd : keep(host.duplicate(fd, own.length), opened),
    )
    means.signals.catch(signals.SIGCHLD ?? 0, reap, true)
    const pid = start({ file, args: [argv0, ...args], env: entriesOf(env), fds: given, detached, cwd: options.cwd })
    for (const fd of opened) host.close(fd)
    if (pid < 0) return failed(child, pid, { file, args })
    child.pid = pid
    running.set(pid, child)
    if (options.timeout !== undefined) {
      const timer = means.setTimeout(() => child.kill(options.killSignal), options.timeout)
      child.on('exit', () => means.clearTimeout(timer as never))
    }
    return child
  }

  function failed(child: ChildProcess, errno: number, { file, args }: { file: string; args: readonly string[] }) {
    if (running.size === 0) means.signals.release(signals.SIGCHLD ?? 0)
    const error = eventError(errno, { syscall: `spawn ${file}` })
    for (const stream of child.stdio) stream?.destroy()
    loop.soon(() => child.emit('error', Object.assign(error, { path: file, spawnargs: args })))
    return child
  }

  function pair(): readonly number[] {
    const made = host.socketPair()
    if (typeof made === 'number') throw systemError(made, { syscall: 'socketpair' })
    return made
  }

  interface Start {
    readonly file: string
    readonly args: readonly string[]
    readonly env: readonly string[]
    readonly fds: readonly number[]
    readonly detached: boolean
    readonly cwd: string | undefined
  }

  /** Looks for the file in the directories of the child's PATH, as execvp(3) does. */
  function start({ file, args, env, fds, detached, cwd }: Start): number {
    const path = env.find((entry) => entry.startsWith('PATH='))?.slice(5) ?? defaultPath
    const places = file.includes('/') ? [file] : path.split(':').map((place) => `${place === '' ? '.' : place}/${file}`)
    let problem = ENOENT
    for (const place of places) {
      const pid = host.spawn(place, args, env, cwd, fds, detached)
      if (pid === EACCES) problem = pid
      else if (pid !== ENOENT && pid !== ENOTDIR) return pid
    }
    return problem
  }

  return { spawn }
}

/** A process that was started, with the events `exit`, `close` and `error`. */
export class ChildProcess extends EventEmitter {
  pid: number | undefined
  killed = false
  exitCode: number | null = null
  signalCode: string | null = null
  readonly stdio: readonly (Stream | null)[]
  readonly #send: (pid: number, signal: number) => boolean
  #open = 1

  /** @param send sends a signal to the process; false when there is no such process any more */
  constructor(streams: readonly (Stream | null)[], send: (pid: number, signal: number) => boolean) {
    super()
    this.stdio = streams
    this.#send = send
    for (const stream of streams) {
      if (stream === null) continue
      this.#open++
      stream.on('close', () => this.#closed())
    }
  }

  get stdin(): Stream | null {
    return this.stdio[0] ?? null
  }

  get stdout(): Stream | null {
    return this.stdio[1] ?? null
  }

  get stderr(): Stream | null {
    return this.stdio[2] ?? null
  }

  kill(signal: string | number = 'SIGTERM'): boolean {
    const number = typeof signal === 'number' ? signal : signals[signal]
    if (number === undefined) throw new TypeError(`Unknown signal: ${signal}`)
    if (this.pid === undefined || !this.#send(this.pid, number)) return false
    this.killed = true
    return true
  }

  /** Called when the process has ended. @param status as wait(2) has it */
  ended(status: number): void {
    const number = status & 0x7f
    this.signalCode = number === 0 ? null : nameOf(number)
    this.exitCode = number === 0 ? (status >> 8) & 0xff : null
    this.stdin?.destroy()
    this.emit('exit', this.exitCode, this.signalCode)
    for (const stream of this.stdio) stream?.resume()
    this.#closed()
  }

  #closed(): void {
    if (--this.#open === 0) this.emit('close', this.exitCode, this.signalCode)
  }
}

function keep(fd: number, opened: number[]): number {
  if (fd < 0) throw systemError(fd, { syscall: 'open' })
  opened.push(fd)
  return fd
}

const nameOf = (number: number): string =>
  Object.entries(signals).find(([, known]) => known === number)?.[0] ?? `SIG${number}`

const entriesOf = (env: Readonly<Record<string, string | undefined>>): readonly string[] =>
  Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]))
