import { type LaunchOptions, launch } from './runtime/launch.ts'

export type CreateOptions = LaunchOptions

/**
 * Creates a container: everything is set up, and its process waits for `start`.
 *
 * When it fails, nothing of the container is left.
 * @throws OciError `ERR_CONTAINER_ID_INVALID`, `ERR_CONTAINER_EXISTS`, `ERR_BUNDLE_INVALID`, `ERR_CONFIG_INVALID`,
 *   `ERR_CONFIG_UNSUPPORTED`, `ERR_COMMAND_NOT_FOUND`, `ERR_SYSCALL` ...
 * @see runtime-spec 1.3.0 runtime.md "Create"
 */
export async function create(options: CreateOptions): Promise<void> {
  await launch(options, 'create')
}
