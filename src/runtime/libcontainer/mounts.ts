import { type ParsedMountOptions, parseMountOptions } from '../../compile/mount/options.ts'
import type { IDMapping, Mount } from '../../oci/runtime-config.ts'
import { mountFlags } from '../../program/flags.ts'
import type { JsonValue } from '../json-text.ts'

/** The MS_* flag of a propagation option such as `rslave`; 0 when it is none. */
export const propagationFlags = (option: string | undefined): number =>
  parseMountOptions(option === undefined ? [] : [option]).propagation[0] ?? 0

/** One entry of `mounts`, its options as flags. @param absolute makes a bind source absolute */
export function libcontainerMount(mount: Mount, absolute: (path: string) => string): JsonValue {
  const options = parseMountOptions(mount.options ?? [])
  const isBind = (options.flags & mountFlags.BIND) !== 0
  const { set, clear } = options.recursive
  return {
    source: isBind ? absolute(mount.source ?? '') : (mount.source ?? ''),
    destination: mount.destination,
    device: isBind ? 'bind' : (mount.type ?? ''),
    flags: options.flags || undefined,
    cleared_flags: options.cleared || undefined,
    propagation_flags: options.propagation.length > 0 ? options.propagation : undefined,
    data: options.data || undefined,
    rec_attr: set || clear ? { Attr_set: set, Attr_clr: clear, Propagation: 0, Userns_fd: 0 } : undefined,
    extensions: options.copyUp ? 1 : undefined,
    id_mapping: idMapping(mount, options.idMapping),
  }
}

function idMapping(mount: Mount, option: ParsedMountOptions['idMapping']): JsonValue | undefined {
  if (option === undefined && mount.uidMappings === undefined && mount.gidMappings === undefined) return undefined
  return {
    recursive: option === 'ridmap' || undefined,
    uid_mappings: mount.uidMappings && idMappings(mount.uidMappings),
    gid_mappings: mount.gidMappings && idMappings(mount.gidMappings),
  }
}

/** Mappings in runc's spelling. */
export const idMappings = (list: readonly IDMapping[]): JsonValue =>
  list.map(({ containerID, hostID, size }) => ({ container_id: containerID, host_id: hostID, size }))
