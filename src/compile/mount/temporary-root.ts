import { OciError } from '../../errors.ts'
import { openFlags } from '../../program/flags.ts'
import { op, type Step } from '../../program/program.ts'
import type { CompileContext } from '../context.ts'
import { isNew } from '../namespaces.ts'
import { mountLabelOf } from '../security.ts'
import { cleanPath, rootfsPath } from './entries.ts'

/**
 * The annotation by which nothing is written to the rootfs: it is the lower directory of an overlay, and what the container
 * writes is in memory, and gone with its mount namespace, however that ends. Its value is an empty directory of the bundle, on
 * which the memory is mounted meanwhile, in that namespace alone.
 */
export const temporaryRootAnnotation = 'bundle-tool.temporary-rootfs'

const from = `/annotations/${temporaryRootAnnotation}`

/** Steps that make the overlay, detached, in the slot `root`; undefined where the rootfs itself is to be the root. */
export function compileTemporaryRoot(context: CompileContext): readonly Step[] | undefined {
  const name = context.config.annotations?.[temporaryRootAnnotation]
  if (name === undefined) return undefined
  if (!isNew(context.config, 'mount')) {
    throw new OciError('ERR_CONFIG_INVALID', 'a temporary rootfs needs a mount namespace of its own', {
      pointer: from,
      hint: 'add {"type": "mount"} to /linux/namespaces',
    })
  }
  const place = cleanPath(`${context.bundle}/${name}`)
  if (!place.startsWith(`${cleanPath(context.bundle)}/`) || place === cleanPath(rootfsPath(context))) {
    throw new OciError('ERR_CONFIG_INVALID', `"${name}" is no directory of the bundle for a temporary rootfs`, {
      pointer: from,
    })
  }
  const label = mountLabelOf(context)
  const labels = label === undefined ? [] : ['context', label]
  const layers = { lowerdir: rootfsPath(context), upperdir: `${place}/upper`, workdir: `${place}/work` }
  return [
    op('open', { to: 'memory_place', at: null, path: place, flags: openFlags.PATH | openFlags.DIRECTORY }, from),
    op('new_mount', { to: 'memory', type: 'tmpfs', options: ['mode', '0700', ...labels], attributes: 0 }, from),
    op('move_mount', { from: 'memory', to: 'memory_place', name: null, path: place }, from),
    // The root of the container has the mode of the upper directory.
    op('mkdir', { at: 'memory', path: 'upper', mode: context.rootfsMode ?? 0o755 }, from),
    op('mkdir', { at: 'memory', path: 'work', mode: 0o700 }, from),
    op('new_mount', { to: 'root', type: 'overlay', options: overlayOptions(layers, context), attributes: 0 }, from),
  ]
}

/** In a user namespace the file system's own attributes are those that a user may set. */
function overlayOptions(
  layers: Readonly<Record<string, string>>,
  { hasUserNamespace, facts }: CompileContext,
): string[] {
  const paths = Object.entries(layers).flatMap(([name, path]) => [name, path.replace(/[\\:]/g, '\\$&')])
  return hasUserNamespace || facts.inUserNamespace ? [...paths, 'userxattr', ''] : paths
}
