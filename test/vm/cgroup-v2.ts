import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Linux, Namespace, Resources } from '../../src/oci/runtime-config.ts'
import { readContainer } from '../../src/runtime/state-file.ts'
import type { ContainerPlace } from '../container.ts'

/** The namespaces of a container on cgroup v2, by default: with one for cgroups. */
export const namespaces: readonly Namespace[] = (['pid', 'network', 'ipc', 'uts', 'mount', 'cgroup'] as const).map(
  (type) => ({ type }),
)

export const withLimits = (resources: Resources, linux: Linux = {}): { readonly linux: Linux } => ({
  linux: { namespaces, resources: { devices: [{ allow: false, access: 'rwm' }], ...resources }, ...linux },
})

/** A file of the container's cgroup. */
export function control({ root, id }: ContainerPlace, file: string): string {
  return readFileSync(join(readContainer(root, id).cgroupPaths[''] ?? '', file), 'utf8').trim()
}

/** The cgroup of a process below the mount point. */
export function cgroupOf(pid: number | 'self'): string {
  return /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, 'utf8'))?.[1] ?? ''
}

export const pidOf = ({ root, id }: ContainerPlace): number => readContainer(root, id).init.pid
