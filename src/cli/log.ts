import { appendFileSync } from 'node:fs'
import { isSystemError, OciError } from '../errors.ts'
import type { logFormats } from '../program/options.ts'
import { bytesOf, printableLines, showBytes } from '../text.ts'
import type { TextOutput } from './io.ts'

export type LogLevel = 'debug' | 'info' | 'warning' | 'error'
export type LogFormat = (typeof logFormats)[number]

export interface LogOptions {
  readonly format: LogFormat
  /** Appended to, and made with mode 0644; without one, lines go to `stderr`. */
  readonly file?: string | undefined
  /** True when debug lines are written. */
  readonly debug: boolean
  /** Repeats an error that is in a file; default: bare, on `stderr`. */
  readonly repeat?: ((message: string) => void) | undefined
}

export type Log = (level: LogLevel, message: string) => void

/**
 * The log that engines read: runc's lines, each written whole.
 *
 * An error in a log file is repeated, bare, on `stderr`: engines keep that for their own messages. A line that cannot be
 * written to the file is lost, which `stderr` hears of.
 */
export function openLog({ format, file, debug, repeat }: LogOptions, stderr: TextOutput): Log {
  const write = (line: string): void => {
    if (file === undefined) stderr.write(line)
    else append(file, line, stderr)
  }
  if (file !== undefined) makeLog(file)
  return (level, message) => {
    if (level === 'debug' && !debug) return
    write(formatLogLine(format, level, message, new Date()))
    if (level !== 'error' || file === undefined) return
    if (repeat === undefined) stderr.write(`${message}\n`)
    else repeat(message)
  }
}

/** @throws OciError `ERR_FILE_SYSTEM` */
function makeLog(file: string): void {
  try {
    appendFileSync(pathOf(file), '', { mode: 0o644 })
  } catch (cause) {
    if (!isSystemError(cause)) throw cause
    throw new OciError('ERR_FILE_SYSTEM', `cannot write to the log "${file}": ${cause.code}`, {
      hint: 'name another file with --log',
      cause,
    })
  }
}

/** In runc's words: a full disk is no reason for a command to fail. */
function append(file: string, line: string, stderr: TextOutput): void {
  try {
    appendFileSync(pathOf(file), line, { mode: 0o644 })
  } catch (error) {
    if (!isSystemError(error)) throw error
    stderr.write(`Failed to write to log, ${file}: ${error.message}\n`)
  }
}

const pathOf = (file: string): Buffer => Buffer.from(bytesOf(file))

/**
 * One line as logrus writes it: `time="..." level=error msg="..."`, or an object with the keys level, msg, time. Whoever
 * reads it on a terminal sees all that is in the message.
 */
export function formatLogLine(format: LogFormat, level: LogLevel, message: string, time: Date): string {
  const stamp = time.toISOString().replace(/\.\d+Z$/, 'Z')
  const msg = showBytes(message)
  if (format === 'json') return printableLines(`${JSON.stringify({ level, msg, time: stamp })}\n`)
  return printableLines(`time="${stamp}" level=${level} msg=${quoteUnlessPlain(msg)}\n`)
}

function quoteUnlessPlain(text: string): string {
  return /^[\w.@^+/-]+$/.test(text) ? text : JSON.stringify(text)
}
