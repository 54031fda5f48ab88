import { closeSync, writeSync } from 'node:fs'
import { type CallContext, containerOptions, execOptions } from './call-options.ts'
import { readCall } from './call-words.ts'
import { type LogLevel, openLog } from './log.ts'

/**
 * Compiles a call of `run`, `create` or `exec` for the front, which takes the program from the pipe that `handover` names,
 * and ends this process then (native/node.c).
 *
 * This is the command line without all that only other calls need: what the front starts when there is a program to be
 * compiled and, most likely, nothing to be said. It returns without a program, and without having said anything, where
 * there is: then the front starts all of the command line, which finds out again what is wrong.
 */
export async function compileCall(args: readonly string[], env: NodeJS.ProcessEnv, handover: number): Promise<void> {
  const understood = readCall(args)
  if (understood === undefined) return
  const { call, globals, flags, words } = understood
  const lines: (readonly [LogLevel, string])[] = []
  const handOver = (message: Uint8Array): void => {
    const log = openLog(
      { format: globals.logFormat, file: globals.log, debug: false },
      { write: (text) => process.stderr.write(text) },
    )
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
    if (call === 'exec') {
      const { exec } = await import('../exec.ts')
      await exec(execOptions(context, words, flags))
    } else if (call === 'run') {
      const { run } = await import('../run.ts')
      await run(containerOptions(context, words, flags))
    } else {
      const { create } = await import('../create.ts')
      await create(containerOptions(context, words, flags))
    }
  } catch {
    // All of the command line will say it.
  }
}
