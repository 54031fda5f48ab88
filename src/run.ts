import { type LaunchOptions, launch } from './runtime/launch.ts'

export interface RunOptions extends LaunchOptions {
  /** Return when the container is running. */
  readonly detach?: boolean | undefined
}

/**
 * Creates and starts a container, and unless detached waits for its end and removes it.
 *
 * @returns the exit code of the container's process, 128 + the signal that ended it, or 0 when detached
 * @throws OciError as `create`
 */
export async function run({ detach, ...options }: RunOptions): Promise<number> {
  const outcome = await launch(options, detach ? 'detached' : 'foreground')
  return outcome.kind === 'exited' ? outcome.status : 0
}
