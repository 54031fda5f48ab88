import type { LaunchOptions, OwnOptions } from '../../runtime/launch.ts'
import { launchUntilAborted } from './launch-until-aborted.ts'

export type { ContainerStdio } from '../../runtime/execute.ts'
export type { OwnOptions } from '../../runtime/launch.ts'

export interface RunOptions extends LaunchOptions {
  /** Return when the container is running. */
  readonly detach?: boolean | undefined
  /** Kills the container when it is aborted, or a detached one while it is being made; nothing of it is left. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Creates and starts a container, and unless detached waits for its end and removes it.
 *
 * @returns the exit code of the container's process, 128 + the signal that ended it, or 0 when detached
 * @throws OciError as `create`; the reason of `signal` when that is aborted
 */
export async function run({ detach, signal, ...options }: RunOptions & OwnOptions): Promise<number> {
  const outcome = await launchUntilAborted(signal, options, detach ? 'detached' : 'foreground')
  return outcome.kind === 'exited' ? outcome.status : 0
}
