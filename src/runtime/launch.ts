import type { CompileOptions } from '../compile/context.ts'
import { reportKinds } from '../program/contract.ts'
import { absoluteRoot } from '../state-root.ts'
import type { LaunchCall, OwnLaunchCall } from './compile-launch.ts'
import { parseContainerID } from './container-id.ts'
import { type Outcome, successOf } from './execute.ts'
import type { FrontOptions } from './execute-call.ts'
import { inheritedFds } from './inherited-fds.ts'
import { commandOf, describeLaunch, givenOptions } from './kept/call.ts'
import { runKept } from './kept/run.ts'
import type { RunProgramOptions } from './runner.ts'

export interface LaunchOptions extends LaunchCall {
  /** True to pass signals to this process on to the container; otherwise they have their usual effect here. */
  readonly forwardSignals?: boolean | undefined
  /** Default: the descriptors of this process. */
  readonly stdio?: RunProgramOptions['stdio']
}

/** Options that only this tool itself uses. */
export interface OwnOptions extends OwnLaunchCall, FrontOptions, Pick<RunProgramOptions, 'abort' | 'endsWithCaller'> {
  /** True when the front has looked for a kept program already. */
  readonly noKept?: boolean | undefined
}

/**
 * Executes the program that was kept for this call; otherwise compiles the bundle, keeps the program, and executes it.
 */
export async function launch(given: LaunchOptions & OwnOptions, mode: CompileOptions['mode']): Promise<Outcome> {
  const options = givenOptions(commandOf(mode), given)
  const runOptions = {
    id: parseContainerID(options.id),
    paths: options,
    preserveFds: inheritedFds(options),
    forwardSignals: options.forwardSignals ?? false,
    stdio: options.stdio,
    drain: mode === 'foreground',
    abort: options.abort,
    endsWithCaller: options.endsWithCaller,
    onLeftover: (message: string) => options.log?.('warning', message),
  }
  const { bundle = '.', root, handOver, noKept, reports } = options
  const mayBeKept = describeLaunch(options, mode) === plainCalls[mode] && !handOver && !noKept
  const kept = mayBeKept ? await runKept({ mode, bundle, root: absoluteRoot(root) }, runOptions) : undefined
  if (kept?.reports.every(({ kind }) => successes.includes(kind))) return successOf(kept)
  options.abort?.signal.throwIfAborted()
  // Loaded here, so that a process which only runs kept programs has no compiler in memory.
  const { compileLaunch } = await import('./compile-launch.ts')
  const { executeCall, withoutRepeats } = await import('./execute-call.ts')
  const log = reports === undefined ? options.log : withoutRepeats(options.log)
  return await executeCall(await compileLaunch({ ...options, log }, mode), {
    ...runOptions,
    handOver,
    executed: reports === undefined ? kept : { reports, code: 0 },
    begins: 'init',
    log: options.log,
  })
}

/** The calls that name only the bundle and the root; for these a front is started to look for a kept program. */
const plainCalls = { create: 'create', detached: 'run\n--detach', foreground: 'run' } as const

const successes: readonly number[] = [reportKinds.begun, reportKinds.exited, reportKinds.ready]
