import { type CompiledCall, handOverMessage } from './compiled-call.ts'
import type { Execution, Outcome, Report } from './execute.ts'
import { outcomeOf, type RunProgramOptions, runProgram } from './runner.ts'
import { withRuncPhrases } from './stages.ts'

/** Data exchanged with the front (native/front), which executes the program. */
export interface FrontOptions {
  /** Sends the message with the program to the front, which has requested it. */
  readonly handOver?: ((message: Uint8Array) => void) | undefined
  /** The reports of a runner that has executed the program already; it is not executed again. */
  readonly reports?: readonly Report[] | undefined
}

type Log = ((level: 'debug' | 'info' | 'warning', message: string) => void) | undefined

export interface ExecuteCallOptions
  extends Pick<FrontOptions, 'handOver'>,
    Omit<RunProgramOptions, 'id' | 'paths' | 'preserveFds' | 'cwd'> {
  /** The result of an execution that is done already: the program serves only to word its errors. */
  readonly executed?: Execution | undefined
  readonly begins: 'init' | 'setns_init'
  readonly log?: Log
}

/**
 * Executes a compiled call and keeps its program for the next one; or hands it over to the front, which executes it
 * when this process has ended.
 *
 * @throws OciError as `runProgram`
 */
export async function executeCall(
  compiled: CompiledCall,
  { handOver, executed, begins, log, ...options }: ExecuteCallOptions,
): Promise<Outcome> {
  const { program, id, paths, preserveFds, cwd } = compiled
  const runOptions = { ...options, id, paths, ...(preserveFds && { preserveFds }), ...(cwd && { cwd }) }
  if (executed !== undefined) return await outcomeOf(program, executed, runOptions)
  compiled.keep()
  return await withRuncPhrases(program, { log, begins }, async () => {
    if (handOver === undefined) return await runProgram(program, runOptions)
    handOver(handOverMessage(compiled))
    return { kind: 'handedOver' }
  })
}

/** A log without warnings and notes: a program that has failed was compiled once before, and they were given then. */
export function withoutRepeats(log: Log): Log {
  return (level, message) => {
    if (level !== 'warning' && level !== 'info') log?.(level, message)
  }
}
