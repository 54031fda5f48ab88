import { OciError } from '../../errors.ts'
import { thaw } from '../../runtime/cgroup/cgroup.ts'
import { readContainer, readStatus } from '../../runtime/state-file.ts'
import { absoluteRoot } from '../../state-root.ts'
import type { ContainerOptions } from './state.ts'

/**
 * Lets the processes of a paused container go on.
 *
 * @throws OciError `ERR_CONTAINER_STATUS` it is not paused
 */
export async function resume({ root, id }: ContainerOptions): Promise<void> {
  const container = readContainer(absoluteRoot(root), id)
  const status = await readStatus(container)
  if (status !== 'paused') {
    throw new OciError('ERR_CONTAINER_STATUS', `container not paused: "${id}" is ${status}`)
  }
  thaw(container.cgroupPaths)
}
