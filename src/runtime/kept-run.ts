import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { CompileOptions } from '../compile/context.ts'
import type { KeptOrigin } from './kept-program.ts'
import { type Execution, execute, type RunProgramOptions } from './runner.ts'

const commands = { create: ['create'], detached: ['run', '--detach'], foreground: ['run'] } as const

/** The exit code of a front that has found no program to execute, and so has done nothing (native/front.c). */
const notKept = 75

/**
 * Executes the program that was kept for this bundle, root and mode, which one process does.
 *
 * @returns undefined when there is none, or something that it was compiled from has changed: it is to be compiled
 */
export async function runKept(
  { mode, root, bundle }: Pick<KeptOrigin, 'root' | 'bundle'> & Pick<CompileOptions, 'mode'>,
  { id, forwardSignals, stdio, drain }: RunProgramOptions,
): Promise<Execution | undefined> {
  const front = fileURLToPath(new URL('../bundle-tool', import.meta.url))
  if (process.env.BUNDLE_TOOL_RUNNER !== undefined || !existsSync(front)) return undefined
  const execution = await execute(front, ['--root', root, ...commands[mode], '--bundle', resolve(bundle), id], {
    forwardSignals: forwardSignals ?? false,
    stdio,
    ...(drain && { drain }),
    descriptors: ['pipe'],
    awaitsReport: true,
    env: { ...process.env, BUNDLE_TOOL_REPORT: '3' },
  })
  return execution.code === notKept && execution.reports.length === 0 ? undefined : execution
}
