import type { CompileOptions } from '../compile/context.ts'
import { reportKinds } from '../program/contract.ts'
import { absoluteRoot } from '../state-root.ts'
import type { LaunchCall } from './compile-launch.ts'
import { parseContainerID } from './container-id.ts'
import { type Outcome, successOf } from './execute.ts'
import type { FrontOptions } from './execute-call.ts'
import { inheritedFds } from './inherited-fds.ts'
import { describeCall, givenOptions } from './kept/call.ts'
import { runKept } from './kept/run.ts'
import type { RunProgramOptions } from './runner.ts'

export interface LaunchOptions extends LaunchCall {
  /** Pass the signals that this process gets on to the container; else they do what they do without one. */
  readonly forwardSignals?: boolean | undefined
  /** Default: the descriptors of this process. */
  readonly stdio?: RunProgramOptions['stdio']
}

/** What only this tool calls with. */
export interface OwnOptions extends FrontOptions, Pick<RunProgramOptions, 'abort' | 'endsWithCaller'> {
  /** The front has looked for a kept program already. */
  readonly noKept?: boolean | undefined
}

/** Executes the program that is kept for this call; else compiles the bundle, keeps the program, and executes that. */
export async function launch(given: LaunchOptions & OwnOptions, mode: CompileOptions['mode']): Promise<Outcome> {
  const command = mode === 'create' ? 'create' : 'run'
  const options = givenOptions(command, given)
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
  const call = describeCall(command, { ...options, detach: mode === 'detached' })
  const mayBeKept = call === plainCalls[mode] && !handOver && !noKept
  const kept = mayBeKept ? await runKept({ mode, bundle, root: absoluteRoot(root) }, runOptions) : undefined
  if (kept?.reports.every(({ kind }) => successes.includes(kind))) return successOf(kept)
  options.abort?.signal.throwIfAborted()
  // A program that only runs what is kept has no compiler in memory.
  const { compileLaunch } = await import('./compile-launch.ts')
  const { executeCall, withoutWarnings } = await import('./execute-call.ts')
  const log = reports === undefined ? options.log : withoutWarnings(options.log)
  return await executeCall(await compileLaunch({ ...options, log }, mode), {
    ...runOptions,
    handOver,
    executed: reports === undefined ? kept : { reports, code: 0 },
    begins: 'init',
    log: options.log,
  })
}

/** Those that say no more than which bundle and which root, for which a front is started to look for a program. */
const plainCalls = { create: 'create', detached: 'run\n--detach', foreground: 'run' } as const

const successes: readonly number[] = [reportKinds.begun, reportKinds.exited, reportKinds.ready]
