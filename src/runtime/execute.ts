import type { ChildProcess } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { OciError } from '../errors.ts'
import { endSignal, reportKinds as kinds, structs } from '../program/contract.ts'
import { layOut } from '../program/structs.ts'
import { type Abort, endOnAbort } from './abort.ts'
import type { Failure } from './failure.ts'

/** How a program ended. */
export type Outcome =
  | { readonly kind: 'ready'; readonly pid: number } // the container is there, and the runner is gone
  | { readonly kind: 'exited'; readonly status: number } // supervised to its end: its exit code, or 128 + signal
  | { readonly kind: 'done' } // a program without a container
  | { readonly kind: 'handedOver' } // to the front, which executes it when this process has ended

/** The first three descriptors of a container: a stream, a descriptor of this process, its own (`inherit`), or /dev/null. */
export interface ContainerStdio {
  readonly stdin?: Readable | 'inherit' | 'ignore' | number | undefined
  /** What the container writes is written there as it comes; the stream stays open. */
  readonly stdout?: Writable | 'inherit' | 'ignore' | number | undefined
  readonly stderr?: Writable | 'inherit' | 'ignore' | number | undefined
}

/** For what runs and means nothing to whoever called: null devices. */
export const silent: ContainerStdio = { stdin: 'ignore', stdout: 'ignore', stderr: 'ignore' }

const { size, at } = layOut(structs.report)
export const reportBytes: number = size

export interface Report extends Failure {
  readonly kind: number
}

/** Of a fork server: the number of the order that it answers. */
export interface Answer extends Report {
  readonly order: number
}

export interface ExecuteOptions {
  /** Whether signals sent to this process go to the runner, which passes them to the container or stops. */
  readonly forwardSignals?: boolean
  /** Whether the runner gets a session of its own: then no signal comes from the terminal but by way of this process. */
  readonly detached?: boolean
  readonly cwd?: string
  readonly stdio?: ContainerStdio | undefined
  /** Wait, too, until everything that was written to the streams of `stdio` has arrived. */
  readonly drain?: boolean
  /** From 3 on; the last is a pipe for the reports. */
  readonly descriptors: readonly (number | 'pipe')[]
  readonly feed?: (child: ChildProcess) => void
  readonly abort?: Abort | undefined
}

/** What a runner has reported, and its exit code. */
export interface Execution {
  readonly reports: readonly Report[]
  readonly code: number
}

/** Starts a runner and waits for its end. */
export async function execute(command: string, args: readonly string[], options: ExecuteOptions): Promise<Execution> {
  // Loading it takes longer than many a command, and who hands over does not need it.
  const { spawn } = process.getBuiltinModule('node:child_process')
  const { cwd, descriptors, feed, stdio = {}, detached = false, forwardSignals: forwards, drain } = options
  const first = [stdio.stdin, stdio.stdout, stdio.stderr].map((given) => (typeof given === 'object' ? 'pipe' : given))
  const child = spawn(command, args, {
    stdio: [...first.map((given) => given ?? 'inherit'), ...descriptors],
    detached,
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

/** What the container leaves behind may hold its output open: after an abort nobody waits for that. */
function watchRunner(abort: Abort, child: ChildProcess): () => void {
  child.once('exit', () => {
    if (!abort.signal.aborted) return
    child.stdout?.destroy()
    child.stderr?.destroy()
  })
  return endOnAbort(abort, { pid: () => child.pid, stop: () => child.kill(endSignal) })
}

/** The streams run as long as somebody holds their other end. */
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
 * What a runner that has not failed came to.
 *
 * @throws OciError `ERR_RUNNER_MISSING` it has said nothing
 */
export function successOf({ reports, code }: Execution): Outcome {
  const find = (kind: number): Report | undefined => reports.find((report) => report.kind === kind)
  const exited = find(kinds.exited)
  if (exited) return { kind: 'exited', status: exited.status }
  const ready = find(kinds.ready)
  if (ready) return { kind: 'ready', pid: ready.pid }
  if (code === 0) return { kind: 'done' }
  throw new OciError('ERR_RUNNER_MISSING', `the runner ended with ${code} and said nothing`, {
    hint: 'check that the binary is for this architecture: run "npm run build"',
  })
}

/** Those that are whole. */
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
 * Passes signals on. The terminal sends its own (Ctrl-C, Ctrl-\) to the whole foreground process group, so a runner that
 * is in it has them already.
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
