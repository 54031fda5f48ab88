import type { ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { OciError } from '../errors.ts'
import { encode } from '../program/encode.ts'
import { numbered, type Program } from '../program/program.ts'
import { type CallPaths, registerValues } from './call-registers.ts'
import { describeFailure, type Failure } from './failure.ts'

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

export interface RunProgramOptions {
  readonly id: string
  /** Paths of this call that the program names by registers. */
  readonly paths?: CallPaths | undefined
  /** How many descriptors from 3 on the container inherits. */
  readonly preserveFds?: number
  /** Descriptors of this process that the runner has from 3 on. */
  readonly descriptors?: readonly number[]
  /** Whether signals sent to this process go to the runner, which passes them to the container or stops. */
  readonly forwardSignals?: boolean
  /** Whether the runner gets a session of its own: then no signal comes from the terminal but by way of this process. */
  readonly detached?: boolean
  readonly cwd?: string
  readonly stdio?: ContainerStdio | undefined
  /** Wait, too, until everything that was written to the streams of `stdio` has arrived. */
  readonly drain?: boolean
  /** Hears of a step of the undo list that failed: something may be left behind. */
  readonly onLeftover?: (message: string) => void
  /** Takes the program, encoded, in place of a runner: the front has asked for it. */
  readonly handOver?: ((message: Uint8Array) => void) | undefined
  /** What a runner has reported: the program has been executed already, and is not again. */
  readonly reports?: readonly Report[] | undefined
}

export const kinds = { ready: 1, failed: 2, undoFailed: 3, exited: 4, refused: 5, begun: 6 } as const
const reportBytes = 24 + 1024

export interface Report extends Failure {
  readonly kind: number
}

/**
 * Executes a program in the runner and waits until the runner is done with it.
 *
 * @throws OciError `ERR_RUNNER_MISSING`, `ERR_PROGRAM_INVALID`, or what `describeFailure` makes of the step that failed;
 *   everything the program did is then undone
 */
export async function runProgram(program: Program, options: RunProgramOptions): Promise<Outcome> {
  if (options.reports) return outcomeOf(program, { reports: options.reports, code: 0 }, options)
  const image = encode(program, registerValues(options.paths ?? {}))
  if (options.handOver) {
    options.handOver(handOverMessage(image, options))
    return { kind: 'handedOver' }
  }
  const { preserveFds = 0, descriptors = [] } = options
  const inherited = [...Array.from({ length: preserveFds }, (_, index) => 3 + index), ...descriptors]
  const programFd = 3 + inherited.length
  const execution = await execute(findRunner(), [String(programFd), String(programFd + 1), options.id], {
    ...options,
    descriptors: [...inherited, 'pipe', 'pipe'],
    feed: (child) => {
      const input = child.stdio[programFd] as Writable
      input.on('error', () => undefined) // a runner that refuses to start says so in its exit
      input.end(image)
    },
  })
  return outcomeOf(program, execution, options)
}

export interface ExecuteOptions
  extends Pick<RunProgramOptions, 'cwd' | 'detached' | 'forwardSignals' | 'stdio' | 'drain'> {
  /** From 3 on; the last is a pipe for the reports. */
  readonly descriptors: readonly (number | 'pipe')[]
  readonly env?: NodeJS.ProcessEnv
  readonly feed?: (child: ChildProcess) => void
  /** Leave `stdio.stdin` alone until there is a report: a front without a program ends before. */
  readonly awaitsReport?: boolean
}

/** What a runner has reported, and its exit code. */
export interface Execution {
  readonly reports: readonly Report[]
  readonly code: number
}

/** Starts a runner, or the front in its place, and waits for its end. */
export async function execute(command: string, args: readonly string[], options: ExecuteOptions): Promise<Execution> {
  // Loading these takes longer than many a command, and who hands over needs neither.
  const [{ spawn }, { isatty }] = await Promise.all([import('node:child_process'), import('node:tty')])
  const { cwd, env, descriptors, feed, stdio = {}, detached = false, forwardSignals: forwards, drain } = options
  const first = [stdio.stdin, stdio.stdout, stdio.stderr].map((given) => (typeof given === 'object' ? 'pipe' : given))
  const child = spawn(command, args, {
    stdio: [...first.map((given) => given ?? 'inherit'), ...descriptors],
    detached,
    ...(cwd !== undefined && { cwd }),
    ...(env !== undefined && { env }),
  })
  const stopForwarding = forwards ? forwardSignals(child, isatty(0) && !detached) : undefined
  try {
    const source = child.stdio[2 + descriptors.length] as unknown as Readable
    if (options.awaitsReport) source.once('data', () => connectInput(child, stdio))
    else connectInput(child, stdio)
    connectOutput(child, stdio)
    feed?.(child)
    const reports = collect(source)
    const [bytes, code] = await Promise.all([reports, exitOf(child, drain ? 'close' : 'exit')])
    return { reports: parseReports(bytes), code }
  } finally {
    stopForwarding?.()
  }
}

function connectInput({ stdin: to }: ChildProcess, { stdin }: ContainerStdio): void {
  if (typeof stdin !== 'object') return
  to?.on('error', () => undefined) // the container need not read all of it
  if (to) stdin.pipe(to)
}

/** The streams run as long as somebody holds their other end. */
function connectOutput({ stdout, stderr }: ChildProcess, stdio: ContainerStdio): void {
  if (typeof stdio.stdout === 'object') stdout?.pipe(stdio.stdout, { end: false })
  if (typeof stdio.stderr === 'object') stderr?.pipe(stdio.stderr, { end: false })
}

/** Where the program begins, the ID, the directory to run it in, the program: see native/node.c. */
function handOverMessage(image: Uint8Array, { id, cwd = '' }: RunProgramOptions): Buffer {
  const texts = Buffer.from(`${id}\0${cwd}\0`)
  const head = Buffer.alloc((8 + texts.length + 7) & ~7)
  head.writeUInt32LE(head.length, 0)
  texts.copy(head, 8)
  return Buffer.concat([head, image])
}

/**
 * The runner's path: `BUNDLE_TOOL_RUNNER`, or the binary that `npm run build` made.
 *
 * @throws OciError `ERR_RUNNER_MISSING`
 */
export function findRunner(): string {
  const path = process.env.BUNDLE_TOOL_RUNNER ?? fileURLToPath(new URL('../bundle-tool-runner', import.meta.url))
  if (existsSync(path)) return path
  throw new OciError('ERR_RUNNER_MISSING', `the runner "${path}" does not exist`, {
    hint: 'build it with "npm run build" (needs a C compiler), or name one in BUNDLE_TOOL_RUNNER',
  })
}

/** @throws OciError as `runProgram` */
export function outcomeOf(program: Program, { reports, code }: Execution, options: RunProgramOptions): Outcome {
  const find = (kind: number): Report | undefined => reports.find((report) => report.kind === kind)
  for (const report of reports) {
    if (report.kind === kinds.undoFailed) options.onLeftover?.(failureOf(program, report, options).message)
  }
  const failed = find(kinds.failed)
  if (failed) throw failureOf(program, failed, options)
  const refused = find(kinds.refused)
  if (refused) {
    throw new OciError('ERR_PROGRAM_INVALID', `the runner refuses the program (error ${refused.error})`, {
      hint: 'use the runner of the same version: run "npm run build"',
    })
  }
  const exited = find(kinds.exited)
  if (exited) return { kind: 'exited', status: exited.status }
  const ready = find(kinds.ready)
  if (ready) return { kind: 'ready', pid: ready.pid }
  if (code === 0) return { kind: 'done' }
  throw new OciError('ERR_RUNNER_MISSING', `the runner ended with ${code} and said nothing`, {
    hint: 'check that the binary is for this architecture: run "npm run build"',
  })
}

/** The words of a program have registers in braces: one program serves many calls. */
function failureOf(program: Program, report: Report, { id, paths = {} }: RunProgramOptions): OciError {
  const error = describeFailure(numbered(program), report)
  for (const [name, value] of Object.entries({ id, ...registerValues(paths) })) {
    error.message = error.message.replaceAll(`{${name}}`, () => value)
  }
  return error
}

function parseReports(bytes: Buffer): readonly Report[] {
  return Array.from({ length: Math.floor(bytes.length / reportBytes) }, (_, index) => {
    const at = index * reportBytes
    return {
      kind: bytes.readUInt32LE(at),
      step: bytes.readUInt32LE(at + 4),
      error: bytes.readInt32LE(at + 8),
      syscall: bytes.readInt32LE(at + 12),
      pid: bytes.readInt32LE(at + 16),
      status: bytes.readInt32LE(at + 20),
      detail: cString(bytes.subarray(at + 24, at + reportBytes)),
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
 * Passes signals on. The terminal sends its own (Ctrl-C, Ctrl-\) to the whole foreground process group, so the runner
 * has them already.
 */
function forwardSignals(runner: ChildProcess, hasTerminal: boolean): () => void {
  const fromTerminal = hasTerminal ? ['SIGINT', 'SIGQUIT', 'SIGWINCH'] : []
  const handlers = forwarded.map((signal) => {
    const handler = (): void => {
      if (!fromTerminal.includes(signal)) runner.kill(signal)
    }
    process.on(signal, handler)
    return { signal, handler }
  })
  return () => {
    for (const { signal, handler } of handlers) process.off(signal, handler)
  }
}
