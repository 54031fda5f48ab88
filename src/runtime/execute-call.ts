import { type CompiledCall, handOverMessage } from './compiled-call.ts'
import type { Execution, Outcome, Report } from './execute.ts'
import { outcomeOf, type RunProgramOptions, runProgram } from './runner.ts'
import { withStages } from './stages.ts'

/** What passes between this process and the front (native/front), which executes the program. */
export interface FrontOptions {
  /** Takes the message with the program: the front has asked for it. */
  readonly handOver?: ((message: Uint8Array) => void) | undefined
  /** What a runner has reported: the program has been executed already, and is not again. */
  readonly reports?: readonly Report[] | undefined
}

type Log = ((level: 'debug' | 'info' | 'warning', message: string) => void) | undefined

export interface ExecuteCallOptions
  extends Pick<FrontOptions, 'handOver'>,
    Omit<RunProgramOptions, 'id' | 'paths' | 'preserveFds' | 'cwd'> {
  /** What executing it came to, where that is done: the program is there for the words alone. */
  readonly executed?: Execution | undefined
  readonly begins: 'init' | 'setns_init'
  readonly log?: Log
}

/**
 * Executes what a call was compiled to and keeps the program for the next one; or gives it to the front, which executes it
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
  return await withStages(program, { log, begins }, async () => {
    if (handOver === undefined) return await runProgram(program, runOptions)
    handOver(handOverMessage(compiled))
    return { kind: 'handedOver' }
  })
}

/** A program that has failed was warned of when it was compiled for the first time. */
export function withoutWarnings(log: Log): Log {
  return (level, message) => {
    if (level !== 'warning') log?.(level, message)
  }
}
