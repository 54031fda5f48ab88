import type { ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { OciError } from '../errors.ts'
import { encode } from '../program/encode.ts'
import { numbered, type Program } from '../program/program.ts'
import { describeFailure, type Failure } from './failure.ts'

/** How a program ended. */
export type Outcome =
  | { readonly kind: 'ready'; readonly pid: number } // the container is there, and the runner is gone
  | { readonly kind: 'exited'; readonly status: number } // supervised to its end: its exit code, or 128 + signal
  | { readonly kind: 'done' } // a program without a container
  | { readonly kind: 'handedOver' } // to the front, which executes it when this process has ended

export interface RunProgramOptions {
  readonly id: string
  /** How many descriptors from 3 on the container inherits. */
  readonly preserveFds?: number
  /** Nothing of what runs is meant for whoever called: stdin, stdout and stderr are null devices. */
  readonly isSilent?: boolean
  /** Descriptors of this process that the runner has from 3 on. */
  readonly descriptors?: readonly number[]
  /** Whether signals sent to this process go to the runner, which passes them to the container or stops. */
  readonly forwardSignals?: boolean
  readonly cwd?: string
  /** Hears of a step of the undo list that failed: something may be left behind. */
  readonly onLeftover?: (message: string) => void
  /** Takes the program, encoded, in place of a runner: the front has asked for it. */
  readonly handOver?: ((message: Uint8Array) => void) | undefined
  /** What a runner has reported: the program has been executed already, and is not again. */
  readonly reports?: readonly Report[] | undefined
}

const kinds = { ready: 1, failed: 2, undoFailed: 3, exited: 4, refused: 5 } as const
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
  if (options.reports) return outcome(program, options.reports, 0, options)
  const image = encode(program)
  if (options.handOver) {
    options.handOver(handOverMessage(image, options))
    return { kind: 'handedOver' }
  }
  // Loading these takes longer than many a command, and who hands over needs neither.
  const [{ spawn }, { isatty }] = await Promise.all([import('node:child_process'), import('node:tty')])
  const { preserveFds = 0, descriptors = [], isSilent = false } = options
  const inherited = [...Array.from({ length: 3 + preserveFds }, (_, fd) => fd), ...descriptors]
  const stdio = inherited.map((fd) => (isSilent && fd < 3 ? 'ignore' : fd))
  const programFd = inherited.length
  const runner = spawn(findRunner(), [String(programFd), String(programFd + 1), options.id], {
    stdio: [...stdio, 'pipe', 'pipe'],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  })
  const stopForwarding = options.forwardSignals ? forwardSignals(runner, isatty(0)) : undefined
  try {
    const input = runner.stdio[programFd] as Writable
    input.on('error', () => undefined) // a runner that refuses to start says so in its exit
    input.end(image)
    const [bytes, code] = await Promise.all([
      collect(runner.stdio[programFd + 1] as unknown as Readable),
      exitOf(runner),
    ])
    return outcome(program, parseReports(bytes), code, options)
  } finally {
    stopForwarding?.()
  }
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

function outcome(program: Program, reports: readonly Report[], code: number, options: RunProgramOptions): Outcome {
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

/** The words of a program have the ID in braces: one program serves many containers. */
function failureOf(program: Program, report: Report, { id }: RunProgramOptions): OciError {
  const error = describeFailure(numbered(program), report)
  error.message = error.message.replaceAll('{id}', id)
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

async function collect(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

function exitOf(runner: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    runner.once('error', (cause) =>
      reject(
        new OciError('ERR_RUNNER_MISSING', `the runner cannot be started: ${cause.message}`, {
          cause,
          hint: 'build it for this machine with "npm run build"',
        }),
      ),
    )
    runner.once('exit', (code, signal) => resolve(code ?? (signal === null ? 1 : 128)))
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
