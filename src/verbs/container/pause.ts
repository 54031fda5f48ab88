import { OciError } from '../../errors.ts'
import { freeze } from '../../runtime/cgroup/freezer.ts'
import { readContainer, readStatus } from '../../runtime/state-file.ts'
import { absoluteRoot } from '../../state-root.ts'
import type { ContainerOptions } from './state.ts'

/**
 * Suspends every process of a container until it is resumed.
 *
 * @throws OciError `ERR_CONTAINER_STATUS` it is neither running nor created, or does not freeze within ten seconds
 */
export async function pause({ root, id }: ContainerOptions): Promise<void> {
  const container = readContainer(absoluteRoot(root), id)
  const status = await readStatus(container)
  if (status !== 'running' && status !== 'created') {
    throw new OciError('ERR_CONTAINER_STATUS', `container not running: "${id}" is ${status}`)
  }
  await freeze(container.cgroupPaths)
}
