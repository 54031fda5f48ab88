import { type ContainerOptions, compileContainer } from './runtime/compile-container.ts'
import { parseContainerID } from './runtime/container-id.ts'
import { makeRoot } from './runtime/root.ts'
import { runProgram } from './runtime/runner.ts'

export type CreateOptions = ContainerOptions

/**
 * Creates a container: everything is set up, and its process waits for `start`.
 *
 * When it fails, nothing of the container is left.
 * @throws OciError `ERR_CONTAINER_ID_INVALID`, `ERR_CONTAINER_EXISTS`, `ERR_BUNDLE_INVALID`, `ERR_CONFIG_INVALID`,
 *   `ERR_CONFIG_UNSUPPORTED`, `ERR_COMMAND_NOT_FOUND`, `ERR_SYSCALL` ...
 * @see runtime-spec 1.3.0 runtime.md "Create"
 */
export async function create(options: CreateOptions): Promise<void> {
  const id = parseContainerID(options.id)
  const { program, bundle } = compileContainer(options, 'create')
  makeRoot(options.root, process.geteuid?.() ?? 0)
  await runProgram(program, {
    id,
    cwd: bundle,
    preserveFds: options.preserveFds ?? 0,
    forwardSignals: true,
    onLeftover: (message) => options.log?.('warning', message),
  })
}
