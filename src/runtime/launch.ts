import { type ContainerOptions, compileContainer, type ForegroundOptions } from './compile-container.ts'
import { parseContainerID } from './container-id.ts'
import { inheritedFds } from './inherited-fds.ts'
import { type KeptOrigin, keepProgram } from './kept-program.ts'
import { makeRoot } from './root.ts'
import { type Outcome, type RunProgramOptions, runProgram } from './runner.ts'
import { withStages } from './stages.ts'

export interface LaunchOptions extends ContainerOptions, ForegroundOptions, FrontOptions {
  /** Do not keep the program for the next time. */
  readonly noCache?: boolean | undefined
}

/** What passes between this process and the front (native/front.c), which executes the program. */
export type FrontOptions = Pick<RunProgramOptions, 'handOver' | 'reports'>

/**
 * Compiles a bundle and executes its program; the program is kept for the next time when it depends on nothing but the
 * bundle, the root and the host, and there was nothing to warn of.
 */
export async function launch(options: LaunchOptions, mode: KeptOrigin['mode']): Promise<Outcome> {
  const id = parseContainerID(options.id)
  let hasWarned = false
  const log: LaunchOptions['log'] = (level, message) => {
    if (level === 'warning') hasWarned = true
    options.log?.(level, message)
  }
  const preserveFds = inheritedFds(options)
  const { program, hasUnguarded, ...origin } = await compileContainer({ ...options, log }, mode)
  makeRoot(options.root, origin.facts.euid)
  if (!hasWarned && !hasUnguarded && isPlain(options)) keepProgram(program, { ...origin, mode })
  return await withStages(program, { log: options.log, begins: 'init' }, () =>
    runProgram(program, {
      id,
      cwd: origin.bundle,
      preserveFds,
      forwardSignals: true,
      handOver: options.handOver,
      reports: options.reports,
      onLeftover: (message) => options.log?.('warning', message),
    }),
  )
}

/** Whether the call says no more than which bundle, which root and which mode: what the front understands. */
function isPlain({ id: _, bundle: _b, root: _r, log: _l, handOver: _h, ...rest }: LaunchOptions): boolean {
  return Object.values(rest).every((value) => value === undefined || value === false || value === 0)
}
