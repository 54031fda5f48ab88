import type { ChildProcess } from 'node:child_process'
import { constants as flags, openSync } from 'node:fs'
import type { Socket } from 'node:net'
import type { Readable, Writable } from 'node:stream'
import { isSystemError, OciError } from '../errors.ts'
import { argv0, endSignal, reportKinds as kinds, orderKinds as orders, structs } from '../program/contract.ts'
import { layOut } from '../program/structs.ts'
import { endOnAbort } from './abort.ts'
import {
  type ContainerStdio,
  type ExecuteOptions,
  type Execution,
  feed,
  forwardSignals,
  parseReports,
  type Report,
  reportBytes,
} from './execute.ts'

const { size: orderBytes, at } = layOut(structs.order)

/** The server's end of the socket. */
const socketFd = 3

/** Stands for no descriptor; in a run, for /dev/null. */
const none = -1

interface Waiting {
  readonly hear: (report: Report) => void
  readonly fail: (error: OciError) => void
}

type RunOptions = Pick<ExecuteOptions, 'stdio' | 'forwardSignals' | 'drain' | 'abort'>

/** One end of a pipe as a stream, and the server's descriptor of the other end. */
interface Pipe {
  readonly stream: Socket
  readonly other: number
}

/**
 * A process that forks in place of this one, whose memory the kernel would have to copy (native/front/fork_server.c).
 *
 * The server does not keep this process from ending, and ends with it.
 */
export class ForkServer {
  readonly #pid: number
  readonly #socket: Socket
  readonly #waiting = new Map<number, Waiting>()
  #lastNumber = 0
  #runs = 0
  #unread: Buffer = Buffer.alloc(0)
  #failure: OciError | undefined
  #isRetired = false

  /**
   * @param stdio descriptors 0 to 2, which runs inherit
   * @returns undefined when the server cannot be started
   */
  static start(front: string, stdio: readonly ('inherit' | number)[]): ForkServer | undefined {
    const { spawn } = process.getBuiltinModule('node:child_process')
    const child = spawn(front, [], { argv0: `${argv0.orders}${socketFd}`, stdio: [...stdio, 'pipe'] })
    child.on('error', () => undefined) // the process does not exist, or cannot be told of the end of this one
    return child.pid === undefined ? undefined : new ForkServer(child, child.pid)
  }

  private constructor(child: ChildProcess, pid: number) {
    this.#pid = pid
    this.#socket = child.stdio[socketFd] as Socket
    child.once('exit', (code, signal) => this.#fail(`has ended with ${code ?? signal}`))
    this.#socket.on('data', (bytes) => this.#receive(bytes))
    this.#socket.on('error', (cause) => this.#fail(`does not answer: ${cause.message}`, cause))
    child.unref()
    this.#socket.unref()
  }

  get isUsable(): boolean {
    return this.#failure === undefined
  }

  /** Ends the server when nothing runs any more. */
  retire(): void {
    this.#isRetired = true
    if (this.#runs === 0) this.#socket.destroy()
  }

  /**
   * Runs a command line whose program was kept, and waits for its end.
   *
   * @returns undefined when the server had ended before, or no pipes can be made for the streams; nothing is done then
   * @throws OciError `ERR_RUNNER_MISSING` the server has ended meanwhile
   */
  async run(words: readonly string[], options: RunOptions): Promise<Execution | undefined> {
    if (this.#runs++ === 0) this.#socket.ref()
    try {
      return await this.#run(words, options)
    } finally {
      if (--this.#runs === 0) this.#rest()
    }
  }

  async #run(
    words: readonly string[],
    { stdio = {}, forwardSignals: forwards = false, drain = false, abort }: RunOptions,
  ): Promise<Execution | undefined> {
    const given = [stdio.stdin, stdio.stdout, stdio.stderr]
    const pipes = given.some(isStream) ? await this.#openPipes(given) : []
    if (pipes === undefined) return undefined
    const descriptors = given.map((way, fd) => pipes[fd]?.other ?? (way === 'ignore' ? none : fd))
    const arrived = pipes.map((pipe, fd) => pipe && fd > 0 && deliver(pipe.stream, given[fd] as Writable))
    const number = ++this.#lastNumber
    const pass = (signal: NodeJS.Signals): void => void this.#send(orders.signal, number, [numberOf(signal)])
    const stopForwarding = forwards ? forwardSignals(pass) : undefined
    let stopWatching: (() => void) | undefined
    const reports: Report[] = []
    const isDelivered = this.#send(orders.run, number, descriptors, words)
    try {
      stopWatching = abort && endOnAbort(abort, { pid: () => reports[0]?.pid, stop: () => pass(endSignal) })
      const code = await this.#answer(number, isDelivered, (report) => {
        if (report.kind === kinds.ended) return report.status
        // A run without a kept program ends without a report, and must leave the input unread.
        if (reports.push(report) === 1 && pipes[0]) feed(stdio.stdin as Readable, pipes[0].stream)
        // The container's end completes the run, but for the end of the process.
        return report.kind === kinds.exited ? report.status : undefined
      })
      if (code === undefined) return undefined
      if (drain) await Promise.all(arrived)
      return { reports, code }
    } finally {
      stopForwarding?.()
      stopWatching?.()
      pipes[0]?.stream.destroy()
    }
  }

  /** A pipe for each stream; undefined when one cannot be made or opened. */
  async #openPipes(given: readonly ContainerStdio[keyof ContainerStdio][]): Promise<(Pipe | undefined)[] | undefined> {
    const pipes: (Pipe | undefined)[] = []
    for (const [fd, way] of given.entries()) {
      const pipe = isStream(way) ? await this.#openPipe(fd === 0) : undefined
      if (pipe === null) {
        for (const opened of pipes) opened?.stream.destroy()
        this.#close(pipes.map((opened) => opened?.other ?? none))
        return undefined
      }
      pipes.push(pipe)
    }
    return pipes
  }

  /** Opens a pipe; this process opens its own end by its name in procfs. Null when that fails. */
  async #openPipe(isInput: boolean): Promise<Pipe | null> {
    const number = ++this.#lastNumber
    const isDelivered = this.#send(orders.pipe, number)
    const answer = await this.#answer(number, isDelivered, (report) => report)
    if (answer === undefined || answer.error !== 0) return null
    const { pid: readEnd, status: writeEnd } = answer
    const [own, other] = isInput ? [writeEnd, readEnd] : [readEnd, writeEnd]
    try {
      const access = (isInput ? flags.O_WRONLY : flags.O_RDONLY) | flags.O_NONBLOCK
      const fd = openSync(`/proc/${this.#pid}/fd/${own}`, access)
      const { Socket } = process.getBuiltinModule('node:net')
      return { stream: new Socket({ fd, readable: !isInput, writable: isInput }), other }
    } catch (error) {
      if (!isSystemError(error)) throw error
      this.#close([other])
      return null
    } finally {
      this.#close([own])
    }
  }

  #close(descriptors: readonly number[]): void {
    void this.#send(orders.close, ++this.#lastNumber, descriptors)
  }

  /** Resolves with false when the server can no longer receive the order. */
  #send(kind: number, number: number, values: readonly number[] = [], words: readonly string[] = []): Promise<boolean> {
    const text = Buffer.from(words.map((word) => `${word}\0`).join(''))
    const order = Buffer.alloc(orderBytes)
    order.writeUInt32LE(kind, at.kind)
    order.writeUInt32LE(number, at.number)
    order.writeUInt32LE(text.length, at.words)
    for (let i = 0; i < 3; i++) order.writeInt32LE(values[i] ?? none, at.value + 4 * i)
    return new Promise((resolve) => this.#socket.write(Buffer.concat([order, text]), (error) => resolve(!error)))
  }

  /**
   * Resolves with the first result other than undefined that `hear` has for a report of this number; with undefined when the
   * server ends without the order.
   */
  #answer<T>(
    number: number,
    isDelivered: Promise<boolean>,
    hear: (report: Report) => T | undefined,
  ): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      const fail = async (error: OciError): Promise<void> => {
        if (await isDelivered) reject(error)
        else resolve(undefined)
      }
      if (this.#failure) {
        void fail(this.#failure)
        return
      }
      this.#waiting.set(number, {
        hear: (report) => {
          const answer = hear(report)
          if (answer === undefined) return
          this.#waiting.delete(number)
          resolve(answer)
        },
        fail: (error) => void fail(error),
      })
    })
  }

  #rest(): void {
    this.#socket.unref()
    if (this.#isRetired) this.#socket.destroy()
  }

  #receive(bytes: Buffer): void {
    const all = this.#unread.length === 0 ? bytes : Buffer.concat([this.#unread, bytes])
    for (const report of parseReports(all)) this.#waiting.get(report.order)?.hear(report)
    this.#unread = all.subarray(all.length - (all.length % reportBytes))
  }

  #fail(what: string, cause?: Error): void {
    this.#failure ??= new OciError('ERR_RUNNER_MISSING', `the process that starts containers ${what}`, {
      cause,
      hint: 'list the containers that it has started with "bundle-tool list"; build its binary with "npm run build"',
    })
    for (const { fail } of this.#waiting.values()) fail(this.#failure)
    this.#waiting.clear()
    this.#socket.destroy()
  }
}

function numberOf(signal: NodeJS.Signals): number {
  return process.getBuiltinModule('node:os').constants.signals[signal]
}

function isStream(way: ContainerStdio[keyof ContainerStdio]): way is Readable | Writable {
  return typeof way === 'object'
}

/** Passes on a container's output; resolves when no process has the other end any more. */
function deliver(from: Socket, to: Writable): Promise<void> {
  from.pipe(to, { end: false })
  return new Promise((resolve) => from.on('error', () => undefined).once('close', () => resolve()))
}
