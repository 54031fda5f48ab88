import type { CompileOptions } from '../compile/context.ts'
import type { Program } from '../program/program.ts'
import { makeRoot } from '../state-root.ts'
import { compileContainer } from './compile-container.ts'
import type { Execution, Outcome } from './execute.ts'
import { keepProgram } from './kept/program.ts'
import type { LaunchOptions } from './launch.ts'
import { outcomeOf, type RunProgramOptions, runProgram } from './runner.ts'
import { withStages } from './stages.ts'

export interface CompiledLaunch {
  readonly mode: CompileOptions['mode']
  /** As the front describes it; undefined when the program is not to be kept. */
  readonly call: string | undefined
  /** What the kept program came to, which has failed: it is compiled again for the words. */
  readonly kept: Execution | undefined
  readonly runOptions: RunProgramOptions
}

/** Compiles a bundle, keeps its program where that is possible, and executes it unless that is done already. */
export async function launchCompiled(
  options: LaunchOptions,
  { mode, call, kept, runOptions }: CompiledLaunch,
): Promise<Outcome> {
  // A program that has failed was warned of when it was compiled for the first time.
  const log: LaunchOptions['log'] = (level, message) => {
    if (level !== 'warning' || runOptions.reports === undefined) options.log?.(level, message)
  }
  const { program, bundle, keep } = await compileToKeep({ ...options, log }, mode, call)
  if (kept) return await outcomeOf(program, kept, runOptions)
  keep()
  return await withStages(program, { log: options.log, begins: 'init' }, () =>
    runProgram(program, { ...runOptions, cwd: bundle }),
  )
}

/** A program, and what makes the root and keeps the program there: if there was nothing to warn of, and guards know all of it. */
export async function compileToKeep(
  options: LaunchOptions,
  mode: CompileOptions['mode'],
  call: string | undefined,
): Promise<{ readonly program: Program; readonly bundle: string; readonly keep: () => void }> {
  let hasWarned = false
  const log: LaunchOptions['log'] = (level, message) => {
    if (level === 'warning') hasWarned = true
    options.log?.(level, message)
  }
  const { program, guards, bundle, root } = await compileContainer({ ...options, log }, mode)
  const keep = (): void => {
    makeRoot(root, process.geteuid?.() ?? 0)
    if (!hasWarned && guards !== undefined && call !== undefined) keepProgram(program, { call, bundle, root, guards })
  }
  return { program, bundle, keep }
}
