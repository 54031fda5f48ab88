import { constants } from 'node:os'
import type { CompileOptions } from '../../compile/context.ts'
import { OciError } from '../../errors.ts'
import { untilAborted } from '../../runtime/abort.ts'
import type { Outcome } from '../../runtime/execute.ts'
import { type LaunchOptions, launch, type OwnOptions } from '../../runtime/launch.ts'
import { readProcessStat } from '../../runtime/proc.ts'
import { readContainer } from '../../runtime/state-file.ts'
import { absoluteRoot } from '../../state-root.ts'

/**
 * Launches a container; once the signal is aborted it is killed and removed, also where it has just been made.
 *
 * @throws the signal's reason
 */
export async function launchUntilAborted(
  signal: AbortSignal | undefined,
  options: LaunchOptions & OwnOptions,
  mode: CompileOptions['mode'],
): Promise<Outcome> {
  if (signal === undefined) return await launch(options, mode)
  const root = absoluteRoot(options.root)
  const { signalContainer } = await import('./kill.ts')
  const kill = (runner: number): void => {
    const container = readIfThere(root, options.id)
    // Another container of this ID is the child of something else.
    if (container === undefined || readProcessStat(container.init.pid)?.parent !== runner) return
    signalContainer(container, constants.signals.SIGKILL)
  }
  return await untilAborted(signal, async () => {
    const outcome = await launch({ ...options, abort: { signal, kill } }, mode)
    if (signal.aborted && outcome.kind === 'ready') {
      const { remove } = await import('./delete.ts')
      await remove({ root, id: options.id, force: true, warn: (message) => options.log?.('warning', message) })
    }
    return outcome
  })
}

/** Undefined while its state is being made, and when it is gone. */
function readIfThere(root: string, id: string): ReturnType<typeof readContainer> | undefined {
  try {
    return readContainer(root, id)
  } catch (error) {
    if (error instanceof OciError && ['ERR_CONTAINER_NOT_FOUND', 'ERR_STATE_INVALID'].includes(error.code))
      return undefined
    throw error
  }
}
