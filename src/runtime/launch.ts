import type { CompileOptions } from '../compile/context.ts'
import { absoluteRoot } from '../state-root.ts'
import type { ContainerOptions, ForegroundOptions } from './compile-container.ts'
import { parseContainerID } from './container-id.ts'
import { kinds, type Outcome, successOf } from './execute.ts'
import { inheritedFds } from './inherited-fds.ts'
import { describeCall, givenOptions } from './kept/call.ts'
import { runKept } from './kept/run.ts'
import type { RunProgramOptions } from './runner.ts'

export interface LaunchOptions extends ContainerOptions, ForegroundOptions {
  /** Do not use a kept program, and do not keep this one for the next time. */
  readonly noCache?: boolean | undefined
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

/** What passes between this process and the front (native/front.c), which executes the program. */
export type FrontOptions = Pick<RunProgramOptions, 'handOver' | 'reports'>

/**
 * Compiles a bundle and executes its program; the program is kept for the next time when it depends on nothing but the
 * bundle, the root and the host, and there was nothing to warn of.
 */
export async function launch(given: LaunchOptions & OwnOptions, mode: CompileOptions['mode']): Promise<Outcome> {
  const command = mode === 'create' ? 'create' : 'run'
  const options = givenOptions(command, given)
  const id = parseContainerID(options.id)
  const runOptions: RunProgramOptions = {
    id,
    paths: options,
    preserveFds: inheritedFds(options),
    forwardSignals: options.forwardSignals ?? false,
    stdio: options.stdio,
    drain: mode === 'foreground',
    abort: options.abort,
    endsWithCaller: options.endsWithCaller,
    handOver: options.handOver,
    reports: options.reports,
    onLeftover: (message) => options.log?.('warning', message),
  }
  const { bundle = '.', root, handOver, noKept } = options
  const call = describeCall(command, { ...options, detach: mode === 'detached' })
  const canBeKept = call === plainCalls[mode] && !handOver && !noKept
  const kept = canBeKept ? await runKept({ mode, bundle, root: absoluteRoot(root) }, runOptions) : undefined
  if (kept?.reports.every(({ kind }) => successes.includes(kind))) return successOf(kept)
  options.abort?.signal.throwIfAborted()
  const { launchCompiled } = await import('./launch-compiled.ts')
  return await launchCompiled(options, { mode, call, kept, runOptions })
}

/** Those that say no more than which bundle and which root, for which a front is started to look for a program. */
export const plainCalls = { create: 'create', detached: 'run\n--detach', foreground: 'run' } as const

const successes: readonly number[] = [kinds.begun, kinds.exited, kinds.ready]
