import { statfs } from 'node:fs/promises'
import { defaultConfig } from './bundle/default-config.ts'
import { writeRuntimeConfig } from './bundle/write-config.ts'
import { isSystemError } from './errors.ts'

export interface SpecOptions {
  /** The directory that gets the config.json; default `.`. */
  readonly bundle?: string | undefined
  /** Write one that an unprivileged user can run. */
  readonly rootless?: boolean | undefined
}

/** `CGROUP2_SUPER_MAGIC` of linux/magic.h. */
const cgroup2Magic = 0x63677270

/**
 * Writes the default config.json into a bundle, replacing the one there: after `unpack` or `pull`, `spec` means "run a
 * shell in it, whatever the image says". (runc refuses to replace a file.)
 *
 * @throws OciError `ERR_BUNDLE_INVALID` the bundle is not a directory
 */
export async function spec({ bundle = '.', rootless = false }: SpecOptions = {}): Promise<void> {
  const [uid, gid] = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0]
  const cgroupNamespace = await isCgroup2Host()
  await writeRuntimeConfig(bundle, defaultConfig({ rootless, cgroupNamespace, uid, gid }))
}

/** Whether all controllers are on cgroup v2, "unified" as systemd calls it; a host without cgroups has none. */
export async function isCgroup2Host(mountPoint = '/sys/fs/cgroup'): Promise<boolean> {
  try {
    return (await statfs(mountPoint)).type === cgroup2Magic
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return false
    throw error
  }
}
