import type { IDMapping, IDMappings, Linux, Mount, Namespace, Process, RuntimeConfig } from '../oci/runtime-config.ts'
import { runtimeSpecVersion } from '../oci/spec-version.ts'
import { hasID } from './id-mappings.ts'

export interface DefaultConfigOptions {
  /** True for a caller without privileges: the container gets a user namespace in which the caller is root. */
  readonly rootless: boolean
  /** True when the container gets a cgroup namespace, as with runc on cgroup v2 hosts. */
  readonly cgroupNamespace: boolean
  /** The caller's effective uid and gid, to which root of a rootless container is mapped. */
  readonly uid: number
  readonly gid: number
  /** Mappings of a rootless container with more ids than root; by default it has only root. */
  readonly idMappings?: IDMappings | undefined
  /** The gids that the caller's user namespace has; default: all. */
  readonly ownGids?: readonly IDMapping[] | undefined
  /** Give the program a terminal; default true. */
  readonly terminal?: boolean | undefined
}

/**
 * The config.json of `runc spec` 1.1.5, with the same members in the same order, except `ociVersion`, which is the version
 * of the specification that this tool implements.
 */
export function defaultConfig(options: DefaultConfigOptions): RuntimeConfig {
  return {
    ociVersion: runtimeSpecVersion,
    process: defaultProcess(options),
    root: { path: 'rootfs', readonly: true },
    hostname: 'runc',
    mounts: options.rootless ? rootlessMounts(mappingsOf(options)) : mountsWithGids(options.ownGids),
    linux: {
      // A rootless container gets no `resources`: an unprivileged caller has no cgroup for limits.
      ...(options.rootless ? mappingsOf(options) : { resources: denyAllDevices() }),
      namespaces: namespaces(options),
      maskedPaths: [
        '/proc/acpi',
        '/proc/asound',
        '/proc/kcore',
        '/proc/keys',
        '/proc/latency_stats',
        '/proc/timer_list',
        '/proc/timer_stats',
        '/proc/sched_debug',
        '/sys/firmware',
        '/proc/scsi',
      ],
      readonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
    },
  }
}

function defaultProcess({ terminal = true }: DefaultConfigOptions): Process {
  const granted = ['CAP_AUDIT_WRITE', 'CAP_KILL', 'CAP_NET_BIND_SERVICE']
  return {
    terminal,
    user: { uid: 0, gid: 0 },
    args: ['sh'],
    env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', ...(terminal ? ['TERM=xterm'] : [])],
    cwd: '/',
    capabilities: { bounding: granted, effective: granted, permitted: granted },
    rlimits: [{ type: 'RLIMIT_NOFILE', hard: 1024, soft: 1024 }],
    noNewPrivileges: true,
  }
}

function defaultMounts(): Mount[] {
  return [
    { destination: '/proc', type: 'proc', source: 'proc' },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
    },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
    },
    {
      destination: '/dev/shm',
      type: 'tmpfs',
      source: 'shm',
      options: ['nosuid', 'noexec', 'nodev', 'mode=1777', 'size=65536k'],
    },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: ['nosuid', 'noexec', 'nodev'] },
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
    {
      destination: '/sys/fs/cgroup',
      type: 'cgroup',
      source: 'cgroup',
      options: ['nosuid', 'noexec', 'nodev', 'relatime', 'ro'],
    },
  ]
}

/**
 * The default mounts for a rootless container: without gid=5 if that is not mapped, and with a bind of /sys, since sysfs
 * belongs to the network namespace, which stays the host's.
 */
const rootlessMounts = ({ gidMappings }: IDMappings): Mount[] => mountsWithGids(gidMappings).map(withHostSys)

const mountsWithGids = (gids: readonly IDMapping[] | undefined): Mount[] =>
  gids === undefined || hasID(gids, 5)
    ? defaultMounts()
    : defaultMounts().map((mount) =>
        mount.options ? { ...mount, options: mount.options.filter((option) => option !== 'gid=5') } : mount,
      )

/** A sysfs as a bind of the host's, for a container in a network namespace that its user namespace does not own. */
export const withHostSys = (mount: Mount): Mount =>
  mount.destination === '/sys' && mount.type === 'sysfs'
    ? { destination: '/sys', type: 'none', source: '/sys', options: ['rbind', ...(mount.options ?? [])] }
    : mount

function denyAllDevices(): Linux['resources'] {
  return { devices: [{ allow: false, access: 'rwm' }] }
}

/** The given mappings, or those of only the caller as root. */
function mappingsOf({ uid, gid, idMappings }: DefaultConfigOptions): IDMappings {
  return (
    idMappings ?? {
      uidMappings: [{ containerID: 0, hostID: uid, size: 1 }],
      gidMappings: [{ containerID: 0, hostID: gid, size: 1 }],
    }
  )
}

function namespaces({ rootless, cgroupNamespace }: DefaultConfigOptions): Namespace[] {
  return [
    { type: 'pid' },
    ...(rootless ? [] : [{ type: 'network' } as const]),
    { type: 'ipc' },
    { type: 'uts' },
    { type: 'mount' },
    ...(cgroupNamespace ? [{ type: 'cgroup' } as const] : []),
    ...(rootless ? [{ type: 'user' } as const] : []),
  ]
}
