import type { Mount } from '../../oci/runtime-config.ts'
import { mountFlags } from '../../program/flags.ts'
import type { CompileContext } from '../context.ts'
import { type ParsedMountOptions, parseMountOptions } from './options.ts'

/** A mount with its options parsed and its place in config.json. */
export interface MountEntry {
  readonly mount: Mount
  readonly destination: string
  readonly options: ParsedMountOptions
  readonly from: string
}

/** The entries of `mounts`, in their order. */
export function mountEntries({ config, bundle }: Pick<CompileContext, 'config' | 'bundle'>): readonly MountEntry[] {
  const rootfs = rootfsPath({ config, bundle })
  return (config.mounts ?? []).map((mount, index) => ({
    mount,
    destination: withoutRoot(cleanPath(mount.destination), rootfs),
    options: parseMountOptions(mount.options ?? []),
    from: `/mounts/${index}`,
  }))
}

/** The absolute path of the rootfs. */
export function rootfsPath({ config, bundle }: Pick<CompileContext, 'config' | 'bundle'>): string {
  const { path } = config.root
  return path.startsWith('/') ? path : `${bundle}/${path}`
}

/** Converts a destination that is a path of the host below the rootfs to the path in the container. */
export function withoutRoot(path: string, rootfs: string): string {
  const root = cleanPath(rootfs)
  if (root === '/' || !`${path}/`.startsWith(`${root}/`)) return path
  return path.slice(root.length) || '/'
}

/** Makes a path absolute, without `.`, `..` and repeated slashes. A relative one is below the root, as in runc. */
export function cleanPath(path: string): string {
  const parts: string[] = []
  for (const part of path.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  }
  return `/${parts.join('/')}`
}

/** True when the options of a mount make it a bind mount. */
export function isBind(entry: MountEntry): boolean {
  return (entry.options.flags & mountFlags.BIND) !== 0
}
