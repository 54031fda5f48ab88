import type { LaunchOptions, OwnOptions } from '../../runtime/launch.ts'
import { launchUntilAborted } from './launch-until-aborted.ts'

export interface CreateOptions extends LaunchOptions {
  /** Stops the creation when it is aborted; nothing of the container is left. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Creates a container: everything is set up, and its process waits for `start`.
 *
 * When it fails, nothing of the container is left.
 * @throws OciError `ERR_CONTAINER_ID_INVALID`, `ERR_CONTAINER_EXISTS`, `ERR_BUNDLE_INVALID`, `ERR_CONFIG_INVALID`,
 *   `ERR_CONFIG_UNSUPPORTED`, `ERR_COMMAND_NOT_FOUND`, `ERR_SYSCALL` ...; the reason of `signal` when that is aborted
 * @see runtime-spec 1.3.0 runtime.md "Create"
 */
export async function create({ signal, ...options }: CreateOptions & OwnOptions): Promise<void> {
  await launchUntilAborted(signal, options, 'create')
}
