import { closeSync, writeSync } from 'node:fs'
import { isSystemError, OciError } from '../errors.ts'
import { compileForFront } from '../verbs/container/compile-for-front.ts'
import { type CallContext, containerOptions, createOptions, execOptions } from './call-options.ts'
import { readCall } from './call-words.ts'
import { exactWords, firstThatIsNoText } from './exact-words.ts'
import { type LogLevel, openLog } from './log.ts'
import { standardError } from './standard-output.ts'
import { describeUnexpected } from './unexpected-error.ts'

/**
 * Compiles a call of `run`, `create` or `exec` for the front, which takes the program from the pipe that `handover` names,
 * and ends this process then (native/front/node.c).
 *
 * This is the command line without all that only other calls need: what the front starts when there is a program to be
 * compiled and, most likely, nothing to be said. Where there is an error to be said it returns without a program and says
 * nothing: then the front starts all of the command line, which meets the same error. A fault of this program is logged,
 * with its stack: all of the command line may not have it, and nobody would know why calls take twice as long.
 *
 * @returns the error that all of the command line will meet; undefined when there is a program, when the call is not
 *   understood, and after a fault of this program
 */
export async function compileCall(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  handover: number,
): Promise<Error | undefined> {
  const exact = exactWords(args)
  const understood = readCall(exact)
  if (understood === undefined) return undefined
  const { call, globals, flags, words } = understood
  if (exact !== args && firstThatIsNoText({ command: call, options: { ...globals, ...flags }, words })) return undefined
  const lines: (readonly [LogLevel, string])[] = []
  const openOwnLog = () =>
    openLog(
      { format: globals.logFormat, file: globals.log, debug: false },
      { write: (text) => standardError().write(text) },
    )
  const handOver = (message: Uint8Array): void => {
    const log = openOwnLog()
    for (const line of lines) log(...line)
    for (let at = 0; at < message.length; ) at += writeSync(handover, message, at)
    closeSync(handover)
  }
  const context: CallContext = {
    io: { env, euid: process.geteuid?.() ?? 0, handOver },
    globals: () => ({ ...globals, debug: false, cgroupManager: 'cgroupfs' }),
    log: (level, message) => lines.push([level, message]),
  }
  try {
    handOver(
      await compileForFront(
        call === 'exec'
          ? { call, options: execOptions(context, words, flags) }
          : { call, options: (call === 'create' ? createOptions : containerOptions)(context, words, flags) },
      ),
    )
    return undefined
  } catch (error) {
    if (error instanceof OciError || isSystemError(error)) return error
    openOwnLog()('warning', describeUnexpected(`${call} is compiled again by all of the command line`, error))
    return undefined
  }
}
