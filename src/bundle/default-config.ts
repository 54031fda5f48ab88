import type { IDMappings, Linux, Mount, Namespace, Process, RuntimeConfig } from '../oci/runtime-config.ts'
import { runtimeSpecVersion } from '../oci/spec-version.ts'
import { hasID } from './id-mappings.ts'

export interface DefaultConfigOptions {
  /** For a caller without privileges: a user namespace, the caller being root in it. */
  readonly rootless: boolean
  /** Whether the container gets a cgroup namespace: runc's default on cgroup v2 hosts, where a container sees its own cgroup. */
  readonly cgroupNamespace: boolean
  /** The caller's effective uid and gid, which root of a rootless container is. */
  readonly uid: number
  readonly gid: number
  /** Ids that a rootless container has beside its root; default: none. */
  readonly idMappings?: IDMappings | undefined
  /** Give the program a terminal; default true. */
  readonly terminal?: boolean | undefined
}

/**
 * The config.json that `runc spec` writes (1.1.5, the same members in the same order), but for `ociVersion`: that is the
 * version of the specification that the writing tool follows, so it is ours.
 */
export function defaultConfig(options: DefaultConfigOptions): RuntimeConfig {
  return {
    ociVersion: runtimeSpecVersion,
    process: defaultProcess(options),
    root: { path: 'rootfs', readonly: true },
    hostname: 'runc',
    mounts: options.rootless ? rootlessMounts(mappingsOf(options)) : defaultMounts(),
    linux: {
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

/** No gid=5 where that is not mapped; sysfs belongs to the network namespace, which stays the host's, so a bind. */
function rootlessMounts({ gidMappings }: IDMappings): Mount[] {
  return defaultMounts().map((mount) => {
    if (mount.destination === '/sys') {
      const options = ['rbind', 'nosuid', 'noexec', 'nodev', 'ro']
      return { destination: '/sys', type: 'none', source: '/sys', options }
    }
    const options = mount.options?.filter((option) => option !== 'gid=5' || hasID(gidMappings, 5))
    return options === undefined ? mount : { ...mount, options }
  })
}

function denyAllDevices(): Linux['resources'] {
  return { devices: [{ allow: false, access: 'rwm' }] }
}

/** Without `resources`: an unprivileged caller has no cgroup to put limits on. */
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
