import { type ContainerOptions, compileContainer, type ForegroundOptions } from './runtime/compile-container.ts'
import { parseContainerID } from './runtime/container-id.ts'
import { makeRoot } from './runtime/root.ts'
import { runProgram } from './runtime/runner.ts'

export interface RunOptions extends ContainerOptions, ForegroundOptions {
  /** Return when the container is running. */
  readonly detach?: boolean | undefined
}

/**
 * Creates and starts a container, and unless detached waits for its end and removes it.
 *
 * @returns the exit code of the container's process, 128 + the signal that ended it, or 0 when detached
 * @throws OciError as `create`
 */
export async function run(options: RunOptions): Promise<number> {
  const id = parseContainerID(options.id)
  const { program, bundle } = compileContainer(options, options.detach ? 'detached' : 'foreground')
  makeRoot(options.root, process.geteuid?.() ?? 0)
  const outcome = await runProgram(program, {
    id,
    cwd: bundle,
    preserveFds: options.preserveFds ?? 0,
    forwardSignals: true,
    onLeftover: (message) => options.log?.('warning', message),
  })
  return outcome.kind === 'exited' ? outcome.status : 0
}
