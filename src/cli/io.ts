import type { OciError } from '../errors.ts'
import { printableLines } from '../text.ts'

/** What a stream of text needs to take output. */
export interface TextOutput {
  write(text: string): unknown
  readonly isTTY?: boolean | undefined
}

/** A stream that shows text as it is, whoever wrote it: nothing in it steers the terminal. */
export interface PlainOutput {
  /** @param steering what this tool itself has the terminal do before */
  write(text: string, steering?: string): unknown
  readonly isTTY: boolean
}

/** The process, as far as the command line sees it: an argument of `main`, so that tests need no process. */
export interface IO {
  /** The name the tool was called by, which help and errors use. */
  readonly name: string
  readonly stdout: TextOutput
  readonly stderr: TextOutput
  /** Writes to standard output what is no text; the bytes can be used again when it is done. */
  readonly writeBytes: (bytes: Uint8Array) => Promise<void>
  /** Whoever is to say that standard output cannot be written to; the process then ends, with the exit code that this gives. */
  readonly onLostOutput?: ((listener: (error: OciError) => number) => void) | undefined
  /** Read by `unpack rootfs:-` alone. */
  readonly stdin: AsyncIterable<Uint8Array>
  /** Takes a program for the front to execute, which has asked for it; then nothing is left to do here. */
  readonly handOver?: ((message: Uint8Array) => void) | undefined
  readonly env: Readonly<Record<string, string | undefined>>
  readonly euid: number
  /** A signal that SIGINT and SIGTERM abort, its reason an OciError `ERR_INTERRUPTED`; until it is asked for, they kill. */
  readonly interruption: () => AbortSignal
}

/** `IO` whose text is plain. All that a command prints goes through here, but for bytes that it was asked for. */
export type PlainIO = Omit<IO, 'stdout' | 'stderr'> & { readonly stdout: PlainOutput; readonly stderr: PlainOutput }

export function plainIO(io: IO): PlainIO {
  return Object.defineProperties(Object.create(io), {
    stdout: { get: () => plainOutput(io.stdout) },
    stderr: { get: () => plainOutput(io.stderr) },
  })
}

function plainOutput(output: TextOutput): PlainOutput {
  return {
    write: (text, steering = '') => output.write(`${steering}${printableLines(text)}`),
    isTTY: output.isTTY === true,
  }
}
