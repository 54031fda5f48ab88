import type { OciError } from '../errors.ts'
import { printable, printableLines } from '../text.ts'
import type { Question } from './ask.ts'

/** The part of a stream that output needs. */
export interface TextOutput {
  write(text: string): unknown
  readonly isTTY?: boolean | undefined
  /** The columns of a terminal; 0 or undefined where they are not known. */
  readonly columns?: number | undefined
  readonly rows?: number | undefined
  on?(event: 'resize', listener: () => void): unknown
  off?(event: 'resize', listener: () => void): unknown
}

/** A stream that shows text as it is, whoever wrote it: nothing in it steers the terminal. */
export interface PlainOutput {
  /** @param steering what this tool itself has the terminal do before */
  write(text: string, steering?: string): unknown
  readonly isTTY: boolean
  /** Undefined for what is no terminal, and for one that cannot be steered: $TERM is "dumb", or not there. */
  size(): { readonly columns: number; readonly rows: number } | undefined
  /**
   * Shows lines for the time being, in place of those before: they are gone when anything else is written. Only where there
   * is a size, and no more and no longer ones than that.
   */
  showLines(lines: readonly string[]): void
  /** @returns takes the listener away */
  onResize(listener: () => void): () => void
}

/** The signals that end a command before it is done. */
export const interruptingSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

export type InterruptingSignal = (typeof interruptingSignals)[number]

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
  /** Read by `unpack -` and `login --password-stdin` alone. */
  readonly stdin: AsyncIterable<Uint8Array>
  /** Asks the user; undefined where standard input and standard error are not both a terminal. */
  readonly ask?: ((questions: readonly Question[], signal: AbortSignal) => Promise<readonly string[]>) | undefined
  /** Why the process that the front has started first to compile this call could not do it: a fault of this program. */
  readonly compilerFault?: string | undefined
  /** Why this process is not Node.js, which the command needs: as `variables.noNode` has it. Undefined where nothing is amiss. */
  readonly noNode?: string | undefined
  /** Takes a program for the front to execute, which has asked for it; then nothing is left to do here. */
  readonly handOver?: ((message: Uint8Array) => void) | undefined
  readonly env: Readonly<Record<string, string | undefined>>
  readonly euid: number
  /** A signal that SIGINT, SIGTERM and SIGHUP abort, its reason an OciError `ERR_INTERRUPTED`; until it is asked for, they kill. */
  readonly interruption: () => AbortSignal
  /** Which of them has aborted it. */
  readonly interruptedBy?: () => InterruptingSignal | undefined
}

/** `IO` whose text is plain. All that a command prints goes through here, but for bytes that it was asked for. */
export type PlainIO = Omit<IO, 'stdout' | 'stderr'> & { readonly stdout: PlainOutput; readonly stderr: PlainOutput }

export function plainIO(io: IO): PlainIO {
  const shown: Shown = { erase: () => undefined }
  return Object.defineProperties(Object.create(io), {
    stdout: { get: () => plainOutput(io.stdout, io.env.TERM, shown) },
    stderr: { get: () => plainOutput(io.stderr, io.env.TERM, shown) },
  })
}

/** Standard output and standard error may be the same terminal: what is written to one erases the lines of the other. */
interface Shown {
  erase: () => void
}

function plainOutput(output: TextOutput, term: string | undefined, shown: Shown): PlainOutput {
  const isTTY = output.isTTY === true
  const canSteer = isTTY && term !== undefined && term !== '' && term !== 'dumb'

  function erase(): void {
    output.write(eraseBelow)
    shown.erase = () => undefined
  }

  return {
    write: (text, steering = '') => {
      shown.erase()
      return output.write(`${steering}${printableLines(text)}`)
    },
    isTTY,
    size: () => (canSteer ? { columns: output.columns || 80, rows: output.rows || 24 } : undefined),
    showLines: (lines) => {
      if (lines.length === 0) return shown.erase()
      const up = lines.length === 1 ? '' : `\u001b[${lines.length - 1}A`
      output.write(`${eraseBelow}${withoutWrapping(lines.map(printable).join('\n'))}${up}\r`)
      shown.erase = erase
    },
    onResize: (listener) => {
      output.on?.('resize', listener)
      return () => output.off?.('resize', listener)
    },
  }
}

/**
 * The cursor is where the lines begin. A terminal that gets narrower makes more lines of those that do not fit any more, and
 * keeps the cursor at the character where it was: all that is to go is below it.
 */
const eraseBelow = '\r\u001b[J'

/** A terminal that has just become narrower cuts the lines, so that they are as many as they were to be (DECAWM). */
const withoutWrapping = (text: string): string => `\u001b[?7l${text}\u001b[?7h`
