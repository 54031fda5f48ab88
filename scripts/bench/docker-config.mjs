// The config.json that Docker 20.10 writes for `docker run --network none`, but for the hook that calls dockerd back.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Podman's default profile, which is Docker's: Debian's golang-github-containers-common. */
export const seccompFile = '/usr/share/containers/seccomp.json'

const capabilities = ['CHOWN', 'DAC_OVERRIDE', 'FSETID', 'FOWNER', 'MKNOD', 'NET_RAW', 'SETGID', 'SETUID']
  .concat('SETFCAP', 'SETPCAP', 'NET_BIND_SERVICE', 'SYS_CHROOT', 'KILL', 'AUDIT_WRITE')
  .map((name) => `CAP_${name}`)

const bind = (source, destination) => ({ destination, type: 'bind', source, options: ['rbind', 'rprivate'] })
const readOnly = ['nosuid', 'noexec', 'nodev']

function mounts(etc) {
  return [
    { destination: '/proc', type: 'proc', source: 'proc', options: readOnly },
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
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: [...readOnly, 'ro'] },
    { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['ro', ...readOnly] },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: readOnly },
    { destination: '/dev/shm', type: 'tmpfs', source: 'shm', options: [...readOnly, 'mode=1777', 'size=67108864'] },
    ...['resolv.conf', 'hostname', 'hosts'].map((name) => bind(join(etc, name), `/etc/${name}`)),
  ]
}

const device = (major, minor, allow = true) => ({ allow, type: 'c', major, minor, access: 'rwm' })
const devices = [
  { allow: false, access: 'rwm' },
  ...[device(1, 5), device(1, 3), device(1, 9), device(1, 8), device(5, 0), device(5, 1), device(10, 229, false)],
]

/** The rules of the profile that hold for these capabilities on this machine. */
function seccomp() {
  const { defaultAction, syscalls } = JSON.parse(readFileSync(seccompFile, 'utf8'))
  const arch = { x64: 'amd64', arm64: 'arm64' }[process.arch]
  const has = (names = []) => names.some((name) => capabilities.includes(name))
  const holds = ({ includes, excludes }) =>
    (includes.arches?.includes(arch) ?? true) &&
    !excludes.arches?.includes(arch) &&
    (includes.caps === undefined || has(includes.caps)) &&
    !has(excludes.caps)
  const architectures = {
    x64: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
    arm64: ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'],
  }[process.arch]
  return {
    defaultAction,
    architectures,
    syscalls: syscalls
      .filter(holds)
      .map(({ names, action, errnoRet, args }) => ({ names, action, errnoRet, args: args ?? undefined })),
  }
}

/** @param etc a directory with the files `resolv.conf`, `hostname` and `hosts` */
export function dockerConfig(args, etc) {
  return {
    ociVersion: '1.0.2',
    process: {
      user: { uid: 0, gid: 0, additionalGids: [0] },
      args,
      env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'HOSTNAME=2ebad80b5eeb'],
      cwd: '/',
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
      oomScoreAdj: 0,
    },
    root: { path: 'rootfs' },
    hostname: '2ebad80b5eeb',
    mounts: mounts(etc),
    linux: {
      sysctl: { 'net.ipv4.ip_unprivileged_port_start': '0', 'net.ipv4.ping_group_range': '0 2147483647' },
      resources: { devices, memory: { disableOOMKiller: false }, cpu: { shares: 0 }, blockIO: { weight: 0 } },
      namespaces: ['mount', 'network', 'uts', 'pid', 'ipc'].map((type) => ({ type })),
      seccomp: seccomp(),
      maskedPaths: [
        'asound',
        'acpi',
        'kcore',
        'keys',
        'latency_stats',
        'timer_list',
        'timer_stats',
        'sched_debug',
        'scsi',
      ]
        .map((name) => `/proc/${name}`)
        .concat('/sys/firmware'),
      readonlyPaths: ['bus', 'fs', 'irq', 'sys', 'sysrq-trigger'].map((name) => `/proc/${name}`),
    },
  }
}
