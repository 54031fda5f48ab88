import { closeSync, constants, existsSync, openSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { CompileOptions } from '../compile/context.ts'
import { isSystemError } from '../errors.ts'
import { type Execution, execute } from './execute.ts'
import type { KeptOrigin } from './kept-program.ts'
import type { RunProgramOptions } from './runner.ts'

const commands = { create: ['create'], detached: ['run', '--detach'], foreground: ['run'] } as const

/** The exit code of a front that has found no program to execute, and so has done nothing (NO_PROGRAM in native/front.h). */
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
  const front = join(import.meta.dirname, '../bundle-tool')
  if (process.env.BUNDLE_TOOL_RUNNER !== undefined || !existsSync(front)) return undefined
  // A front without a program ends before it reads its input, and only a pipe tells in time that it has one.
  const report = typeof stdio?.stdin === 'object' ? 'pipe' : openReport(root)
  if (report === undefined) return undefined
  try {
    const execution = await execute(front, ['--root', root, ...commands[mode], '--bundle', resolve(bundle), id], {
      forwardSignals: forwardSignals ?? false,
      stdio,
      ...(drain && { drain }),
      descriptors: [report],
      awaitsReport: true,
      argv0: 'bundle-tool:report=3',
    })
    return execution.code === notKept && execution.reports.length === 0 ? undefined : execution
  } finally {
    if (typeof report === 'number') closeSync(report)
  }
}

/** open(2); Node.js has no name for it. */
const __O_TMPFILE = 0o20000000

/**
 * A file without a name for what the front reports: it takes a tenth of what Node.js needs for a pipe.
 *
 * @returns `pipe` where there are no such files; undefined where nothing can be kept, for there is no root
 */
function openReport(root: string): number | 'pipe' | undefined {
  try {
    return openSync(root, __O_TMPFILE | constants.O_DIRECTORY | constants.O_RDWR, 0o600)
  } catch (error) {
    if (!isSystemError(error)) throw error
    return error.code === 'ENOENT' ? undefined : 'pipe'
  }
}
