import type { Linux } from '../oci/runtime-config.ts'

/** Maps an id of the container to the host's: the same id without a user namespace, undefined if it is not mapped. */
export function hostID(linux: Linux, id: number, kind: 'uid' | 'gid'): number | undefined {
  if (!linux.namespaces?.some(({ type }) => type === 'user')) return id
  const mapping = linux[`${kind}Mappings`]?.find(
    ({ containerID, size }) => id >= containerID && id < containerID + size,
  )
  return mapping && mapping.hostID + id - mapping.containerID
}
