import type { ChildProcess } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { OciError } from '../errors.ts'
import { endSignal, reportKinds as kinds, structs } from '../program/contract.ts'
import { layOut } from '../program/structs.ts'
import { type Abort, endOnAbort } from './abort.ts'
import type { Failure } from './reported-failure.ts'

/** The result of a program. */
export type Outcome =
  | { readonly kind: 'ready'; readonly pid: number } // the container exists, and the runner has ended
  | { readonly kind: 'exited'; readonly status: number } // supervised to its end: its exit code, or 128 + signal
  | { readonly kind: 'done' } // the program has no container
  | { readonly kind: 'handedOver' } // to the front, which executes it when this process has ended

/**
 * The first three descriptors of a container, each a stream, a descriptor of this process, the same as this process's
 * (`inherit`), or /dev/null (`ignore`).
 */
export interface ContainerStdio {
  readonly stdin?: Readable | 'inherit' | 'ignore' | number | undefined
  /** Output is written to a stream as it arrives; the stream stays open. */
  readonly stdout?: Writable | 'inherit' | 'ignore' | number | undefined
  readonly stderr?: Writable | 'inherit' | 'ignore' | number | undefined
}

/** Null devices, for processes whose input and output do not concern the caller. */
export const silent: ContainerStdio = { stdin: 'ignore', stdout: 'ignore', stderr: 'ignore' }

const { size, at } = layOut(structs.report)
export const reportBytes: number = size

export interface Report extends Failure {
  readonly kind: number
}

/** A report of a fork server, with the number of the order that it answers. */
export interface Answer extends Report {
  readonly order: number
}

export interface ExecuteOptions {
  /** The first word that the runner sees; default: the command. */
  readonly argv0?: string
  /** True to pass signals sent to this process to the runner, which passes them to the container or stops. */
  readonly forwardSignals?: boolean
  /** True to give the runner a session of its own: signals of the terminal then reach it only through this process. */
  readonly detached?: boolean
  readonly cwd?: string
  readonly stdio?: ContainerStdio | undefined
  /** True to wait also until all output for the streams of `stdio` has arrived. */
  readonly drain?: boolean
  /** Descriptors of the runner from 3 on; the last is a pipe for the reports. */
  readonly descriptors: readonly (number | 'pipe')[]
  readonly feed?: (child: ChildProcess) => void
  readonly abort?: Abort | undefined
}

/** A runner's reports and exit code. */
export interface Execution {
  readonly reports: readonly Report[]
  readonly code: number
}

/** Starts a runner and waits for its end. */
export async function execute(command: string, args: readonly string[], options: ExecuteOptions): Promise<Execution> {
  // Loaded here: it takes longer than many commands, and a call that hands over does not need it.
  const { spawn } = process.getBuiltinModule('node:child_process')
  const { argv0, cwd, descriptors, feed, stdio = {}, detached = false, forwardSignals: forwards, drain } = options
  const first = [stdio.stdin, stdio.stdout, stdio.stderr].map((given) => (typeof given === 'object' ? 'pipe' : given))
  const child = spawn(command, args, {
    stdio: [...first.map((given) => given ?? 'inherit'), ...descriptors],
    detached,
    ...(argv0 !== undefined && { argv0 }),
    ...(cwd !== undefined && { cwd }),
  })
  if (child.pid === undefined) return { reports: [], code: await exitOf(child, 'exit') } // which throws
  const stopForwarding = forwards ? forwardSignals((signal) => child.kill(signal), detached) : undefined
  const stopWatching = options.abort && watchRunner(options.abort, child)
  try {
    connect(child, stdio)
    feed?.(child)
    const reports = collect(child.stdio[2 + descriptors.length] as unknown as Readable)
    const [bytes, code] = await Promise.all([reports, exitOf(child, drain ? 'close' : 'exit')])
    return { reports: parseReports(bytes), code }
  } finally {
    stopForwarding?.()
    stopWatching?.()
  }
}

/**
 * Ends the runner after an abort. Processes that the container leaves behind may hold its output open; then nobody
 * waits for them.
 */
function watchRunner(abort: Abort, child: ChildProcess): () => void {
  child.once('exit', () => {
    if (!abort.signal.aborted) return
    child.stdout?.destroy()
    child.stderr?.destroy()
  })
  return endOnAbort(abort, { pid: () => child.pid, stop: () => child.kill(endSignal) })
}

/** Connects the streams of `stdio`, which run as long as some process holds their other end. */
function connect({ stdin, stdout, stderr }: ChildProcess, stdio: ContainerStdio): void {
  if (typeof stdio.stdin === 'object' && stdin) feed(stdio.stdin, stdin)
  if (typeof stdio.stdout === 'object') stdout?.pipe(stdio.stdout, { end: false })
  if (typeof stdio.stderr === 'object') stderr?.pipe(stdio.stderr, { end: false })
}

export function feed(from: Readable, to: Writable): void {
  to.on('error', () => undefined) // the container need not read all of it
  from.pipe(to)
}

/**
 * The outcome of a runner that has reported no failure.
 *
 * @throws OciError `ERR_RUNNER_MISSING` it has reported nothing
 */
export function successOf({ reports, code }: Execution): Outcome {
  const find = (kind: number): Report | undefined => reports.find((report) => report.kind === kind)
  const exited = find(kinds.exited)
  if (exited) return { kind: 'exited', status: exited.status }
  const ready = find(kinds.ready)
  if (ready) return { kind: 'ready', pid: ready.pid }
  if (code === 0) return { kind: 'done' }
  throw new OciError('ERR_RUNNER_MISSING', `the runner ended with exit code ${code} and without a report`, {
    hint: 'check that the binary is for this architecture: run "npm run build"',
  })
}

/** The complete reports in `bytes`. */
export function parseReports(bytes: Buffer): readonly Answer[] {
  return Array.from({ length: Math.floor(bytes.length / reportBytes) }, (_, index) => {
    const report = bytes.subarray(index * reportBytes, (index + 1) * reportBytes)
    return {
      kind: report.readUInt32LE(at.kind),
      step: report.readUInt32LE(at.step),
      error: report.readInt32LE(at.error),
      syscall: report.readInt32LE(at.syscall),
      pid: report.readInt32LE(at.pid),
      status: report.readInt32LE(at.status),
      end: report.readInt32LE(at.end),
      order: report.readUInt32LE(at.order),
      detail: cString(report.subarray(at.detail)),
    }
  })
}

function cString(bytes: Buffer): string {
  return bytes.toString('utf8', 0, Math.max(0, bytes.indexOf(0)))
}

function collect(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = []
  return new Promise((resolve, reject) => {
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.once('error', reject).once('end', () => resolve(Buffer.concat(chunks)))
  })
}

function exitOf(runner: ChildProcess, event: 'exit' | 'close'): Promise<number> {
  return new Promise((resolve, reject) => {
    runner.once('error', (cause) =>
      reject(
        new OciError('ERR_RUNNER_MISSING', `the runner cannot be started: ${cause.message}`, {
          cause,
          hint: 'build it for this machine with "npm run build"',
        }),
      ),
    )
    runner.once(event, (code: number | null, signal: string | null) => resolve(code ?? (signal === null ? 1 : 128)))
  })
}

const forwarded = [
  'SIGTERM',
  'SIGINT',
  'SIGHUP',
  'SIGQUIT',
  'SIGUSR1',
  'SIGUSR2',
  'SIGALRM',
  'SIGCONT',
  'SIGWINCH',
] as const

/**
 * Passes signals on until the returned function is called. The terminal sends its own (Ctrl-C, Ctrl-\) to the whole
 * foreground process group, so a runner in that group gets them without help.
 */
export function forwardSignals(pass: (signal: NodeJS.Signals) => void, detached = false): () => void {
  const hasTerminal = !detached && process.getBuiltinModule('node:tty').isatty(0)
  const fromTerminal = hasTerminal ? ['SIGINT', 'SIGQUIT', 'SIGWINCH'] : []
  const handlers = forwarded.map((signal) => {
    const handler = (): void => {
      if (!fromTerminal.includes(signal)) pass(signal)
    }
    process.on(signal, handler)
    return { signal, handler }
  })
  return () => {
    for (const { signal, handler } of handlers) process.off(signal, handler)
  }
}
