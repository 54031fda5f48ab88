import { type ContainerRecord, type ContainerStatus, readContainer, readStatus } from '../../runtime/state-file.ts'
import { absoluteRoot } from '../../state-root.ts'

export type { ContainerStatus } from '../../runtime/state-file.ts'
export { defaultRoot } from '../../state-root.ts'

/** A container's state in the order and spelling in which runc prints it. */
export interface State {
  readonly ociVersion: string
  readonly id: string
  /** The container's first process as this PID namespace sees it; 0 when stopped. */
  readonly pid: number
  readonly status: ContainerStatus
  readonly bundle: string
  readonly rootfs: string
  /** RFC 3339. */
  readonly created: string
  readonly annotations?: Readonly<Record<string, string>>
  /** The user who owns the container; only `list` finds it out. */
  readonly owner: string
}

export interface ContainerOptions {
  /** Where containers' states are kept; default: `defaultRoot` of this process. */
  readonly root?: string | undefined
  readonly id: string
}

/**
 * The state of one container.
 * @throws OciError `ERR_CONTAINER_NOT_FOUND`, `ERR_CONTAINER_ID_INVALID`, `ERR_STATE_INVALID`
 * @see runtime-spec v1.3.0 runtime.md "State"
 */
export async function state({ root, id }: ContainerOptions): Promise<State> {
  const container = readContainer(absoluteRoot(root), id)
  return stateOf(container, await readStatus(container))
}

/** The state of a container whose status is known. */
export function stateOf(container: ContainerRecord, status: ContainerStatus, owner = ''): State {
  return {
    ociVersion: container.ociVersion,
    id: container.id,
    pid: status === 'stopped' ? 0 : container.init.pid,
    status,
    bundle: container.bundle,
    rootfs: container.rootfs,
    created: container.created,
    ...(Object.keys(container.annotations).length > 0 && { annotations: container.annotations }),
    owner,
  }
}
