import { EventEmitter } from './events.ts'
import type { Host } from './host.ts'
import { signals as signalNumbers } from './os.ts'
import type { Signals } from './signals.ts'
import type { StandardStreams } from './standard-streams.ts'
import { systemError } from './system-error.ts'

interface Means {
  readonly host: Host
  readonly signals: Signals
  /** As Node.js names it. */
  readonly arch: string
  readonly streams: StandardStreams
  readonly require: (name: string) => unknown
}

/** `process` of Node.js, as far as the runtime uses it. */
export class Process extends EventEmitter {
  readonly arch: string
  readonly platform = 'linux'
  exitCode: number | undefined
  readonly #means: Means
  /** Facts of the process are asked for when they are used: the process that loads this is not the one that runs it. */
  #argv: readonly string[] | undefined
  #env: Record<string, string | undefined> | undefined
  #identity: readonly number[] | undefined

  constructor(means: Means) {
    super()
    this.#means = means
    this.arch = means.arch
  }

  get argv(): readonly string[] {
    const { host } = this.#means
    this.#argv ??= host.arguments()
    return this.#argv
  }

  /** The path of the interpreter. */
  get execPath(): string {
    return this.argv[0] ?? ''
  }

  get env(): Record<string, string | undefined> {
    const { host } = this.#means
    this.#env ??= host.environment()
    return this.#env
  }

  get pid(): number {
    return this.#identify()[0] ?? 0
  }

  get ppid(): number {
    return this.#identify()[1] ?? 0
  }

  #identify(): readonly number[] {
    this.#identity ??= this.#means.host.identity()
    return this.#identity
  }

  get stdin(): StandardStreams['stdin'] {
    return this.#means.streams.stdin
  }

  get stdout(): StandardStreams['stdout'] {
    return this.#means.streams.stdout
  }

  get stderr(): StandardStreams['stderr'] {
    return this.#means.streams.stderr
  }

  geteuid = (): number => this.#identify()[2] ?? 0
  getegid = (): number => this.#identify()[3] ?? 0
  umask = (): number => this.#means.host.umask()
  getBuiltinModule = (name: string): unknown => this.#means.require(name)
  hrtime = { bigint: (): bigint => BigInt(this.#means.host.now()) }

  cwd = (): string => {
    const { host } = this.#means
    const path = host.directory()
    if (typeof path === 'number') throw systemError(path, { syscall: 'uv_cwd' })
    return host.decode(path)
  }

  kill = (target: number, signal: number | string = 'SIGTERM'): true => {
    const number = typeof signal === 'number' ? signal : signalNumbers[signal]
    if (number === undefined) throw new TypeError(`Unknown signal: ${signal}`)
    const result = this.#means.host.kill(target, number)
    if (result >= 0) return true
    const error = systemError(result, { syscall: 'kill' })
    throw Object.assign(error, { message: `kill ${error.code}` }) // as in Node.js
  }

  exit = (code: number = this.exitCode ?? 0): never => this.#means.host.exit(code)

  /** A signal that somebody listens to does nothing else. */
  protected override listenersChanged(name: string, count: number): void {
    const number = signalNumbers[name]
    if (number === undefined) return
    if (count === 0) this.#means.signals.release(number)
    else if (count === 1) this.#means.signals.catch(number, () => this.emit(name, name, number))
  }
}
