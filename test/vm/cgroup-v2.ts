import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { defaultConfig } from '../../src/bundle/default-config.ts'
import type { Linux, Namespace, Process, Resources } from '../../src/oci/runtime-config.ts'
import { readContainer } from '../../src/runtime/state-file.ts'
import type { ContainerPlace } from '../container.ts'

export const mount = '/sys/fs/cgroup'
export const mebi: number = 2 ** 20
/** The end of a command that succeeds and prints no error. */
export const done = { end: 0, stderr: '' }

/** The namespaces of a container on cgroup v2, by default: with one for cgroups. */
export const namespaces: readonly Namespace[] = (['pid', 'network', 'ipc', 'uts', 'mount', 'cgroup'] as const).map(
  (type) => ({ type }),
)

export const withLimits = (resources: Resources, linux: Linux = {}): { readonly linux: Linux } => ({
  linux: { namespaces, resources: { devices: [{ allow: false, access: 'rwm' }], ...resources }, ...linux },
})

/** Writes what `spec --rootless` does, for a shell script in a cgroup namespace, changed. */
export function configureRootless(place: ContainerPlace, script: string, change: Linux): void {
  const ids = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }
  const base = defaultConfig({ rootless: true, cgroupNamespace: true, ...ids })
  place.write({
    ...base,
    process: { ...base.process, terminal: false, args: ['sh', '-c', script] } as Process,
    linux: { ...base.linux, resources: {}, ...change },
  })
}

/** A file of the container's cgroup. */
export function control({ root, id }: ContainerPlace, file: string): string {
  return readFileSync(join(readContainer(root, id).cgroupPaths[''] ?? '', file), 'utf8').trim()
}

/** The cgroup of a process below the mount point. */
export function cgroupOf(pid: number | 'self'): string {
  return /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, 'utf8'))?.[1] ?? ''
}

export const pidOf = ({ root, id }: ContainerPlace): number => readContainer(root, id).init.pid
