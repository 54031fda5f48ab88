import { statfs } from 'node:fs/promises'
import { isSystemError } from '../errors.ts'
import type { IDMappings } from '../oci/runtime-config.ts'
import type { DefaultConfigOptions } from './default-config.ts'
import { isInInitialNamespace, ownMap } from './id-mappings.ts'

/** `CGROUP2_SUPER_MAGIC` of linux/magic.h. */
const cgroup2Magic = 0x63677270

/** Gathers the facts of this process and this host on which the default config.json depends. */
export async function hostConfigOptions(rootless: boolean, idMappings?: IDMappings): Promise<DefaultConfigOptions> {
  const [uid, gid] = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0]
  const ownGids = isInInitialNamespace() ? undefined : ownMap('gid')
  return { rootless, cgroupNamespace: await isCgroup2Host(), uid, gid, idMappings, ownGids }
}

/** True for the type of a file system of cgroup v2. */
export const isCgroup2Type = (type: number): boolean => type === cgroup2Magic

/** True when cgroup v2 is mounted at `mountPoint`, so that all controllers are unified; false without cgroups. */
export async function isCgroup2Host(mountPoint = '/sys/fs/cgroup'): Promise<boolean> {
  try {
    return isCgroup2Type((await statfs(mountPoint)).type)
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return false
    throw error
  }
}
