import { absoluteSource } from '../compile/mount/bind.ts'
import { isBind, mountEntries } from '../compile/mount/entries.ts'
import type { Door } from '../host/door.ts'
import type { RuntimeConfig } from '../oci/runtime-config.ts'
import { exactText } from '../text.ts'

/** Targets of the sources of mounts with the option `copy-symlink` that are symbolic links, by the pointer of the mount. */
export function linkTargets(config: RuntimeConfig, bundle: string, door: Door): ReadonlyMap<string, string> {
  const targets = new Map<string, string>()
  if (!config.mounts?.some(({ options }) => options?.includes('copy-symlink'))) return targets
  for (const entry of mountEntries({ config, bundle })) {
    if (!isBind(entry) || !entry.options.links.has('copy-symlink')) continue
    const target = door.linkTarget(absoluteSource(entry.mount.source, bundle, `${entry.from}/source`))
    if (target !== undefined) targets.set(entry.from, exactText(target))
  }
  return targets
}
