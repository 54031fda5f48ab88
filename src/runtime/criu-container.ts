import { statSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { CriuContainer, ExternalMount } from '../compile/criu.ts'
import type { CgroupFacts } from '../compile/facts.ts'
import { isSystemError } from '../errors.ts'
import { type Fields, splitLabels } from './state-file.ts'

/** A mount that is not in the images: its place in the container, and its source on the host. */
interface HostMount {
  readonly place: string
  readonly source: string
}

export interface MountFacts {
  /** Resolves a path in the rootfs, following links as in the container. */
  readonly realPath: (path: string) => string
  readonly cgroups: CgroupFacts
  /** The container's directory in each hierarchy, by mount point; absent where it is not needed. */
  readonly cgroupDirectories?: ReadonlyMap<string, string>
}

/**
 * CRIU's settings for dumping a container.
 *
 * @param config `config` of state.json
 */
export function containerToDump(config: Fields, pid: number, facts: MountFacts): CriuContainer {
  const own = hostMounts(config, facts).map(({ place }) => ({ key: place, value: place }))
  return { root: config.string('rootfs'), externalMounts: [...own, ...maskedFiles(config, pid)], ...settings(config) }
}

/** CRIU's settings for restoring a container. @param root where CRIU finds the rootfs */
export function containerToRestore(config: Fields, root: string, facts: MountFacts): CriuContainer {
  const own = hostMounts(config, facts).map(({ place, source }) => ({ key: place, value: source }))
  const masks = config.strings('mask_paths').length > 0 ? [{ key: '/dev/null', value: '/dev/null' }] : []
  return { root, externalMounts: [...own, ...masks], ...settings(config) }
}

function hostMounts(config: Fields, facts: MountFacts): readonly HostMount[] {
  const mounts = config.list('mounts').flatMap((mount): readonly HostMount[] => {
    const destination = mount.string('destination')
    const device = mount.string('device')
    if (device === 'bind') return [{ place: facts.realPath(destination), source: mount.string('source') }]
    return device === 'cgroup' || device === 'cgroup2' ? cgroupBinds(config, destination, facts) : []
  })
  const devices = config.list('devices').map((device) => device.string('path'))
  return [...mounts, ...devices.map((path) => ({ place: path, source: path }))]
}

/**
 * The binds by which a container sees its cgroups: without a cgroup namespace, and on v2 also in a user namespace.
 * Without a cgroup namespace on v2 it sees the whole hierarchy.
 */
function cgroupBinds(config: Fields, destination: string, facts: MountFacts): readonly HostMount[] {
  const { cgroups, cgroupDirectories } = facts
  const isV2 = cgroups.mode === 'v2'
  const has = (type: string): boolean => config.list('namespaces').some((one) => one.string('type') === type)
  const isNamespaced = has('NEWCGROUP')
  if (isNamespaced && !(isV2 && has('NEWUSER'))) return []
  const directories = isV2 && !isNamespaced ? undefined : cgroupDirectories
  return cgroups.hierarchies
    .filter(({ isUnified }) => isUnified === isV2)
    .map(({ mountPoint }) => ({
      place: isV2 ? destination : join(destination, basename(mountPoint)),
      source: directories?.get(mountPoint) ?? mountPoint,
    }))
}

/**
 * The masked files: each is hidden by a bind of the null device, while a directory is hidden by a mount that is in the
 * images.
 */
function maskedFiles(config: Fields, pid: number): readonly ExternalMount[] {
  return config.strings('mask_paths').flatMap((path) => {
    const stats = ifThere(() => statSync(`/proc/${pid}/root${path}`))
    return stats === undefined || stats.isDirectory() ? [] : [{ key: path, value: '/dev/null' }]
  })
}

/** CRIU's configuration file, which an annotation may name; an empty annotation means none. */
function settings(config: Fields): { readonly configFile: string | undefined } {
  const annotation = splitLabels(config.strings('labels')).annotations['org.criu.config']
  return { configFile: annotation === undefined ? '/etc/criu/runc.conf' : annotation || undefined }
}

/** A namespace of a container, from state.json. */
export interface RecordedNamespace {
  /** `net`, `mnt`, ... */
  readonly name: string
  /** Empty for a namespace of the container's own. */
  readonly path: string
}

const names: Readonly<Record<string, string>> = { NEWNS: 'mnt' }

export function recordedNamespaces(config: Fields): readonly RecordedNamespace[] {
  return config.list('namespaces').map((namespace) => {
    const type = namespace.string('type')
    return { name: names[type] ?? type.replace(/^NEW/, '').toLowerCase(), path: namespace.string('path') }
  })
}

/** True for a namespace that CRIU leaves alone, when dump and restore name it by the same key. */
export const isExternal = ({ name, path }: RecordedNamespace): boolean =>
  path !== '' && (name === 'net' || name === 'pid')

export const externalKey = ({ name }: RecordedNamespace): string =>
  `extRoot${name.slice(0, 1).toUpperCase()}${name.slice(1)}NS`

function ifThere<T>(look: () => T): T | undefined {
  try {
    return look()
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  }
}
