import { parentCgroup } from '../observe.ts'
import { type Cases, config, each, mapped, mappings, namespaces, shell, user, withNamespace } from './config.ts'

const megabytes = 1 << 20
const limits = (resources: object) => config({ linux: { resources } })
const devices = (resources: readonly object[], commands: string) =>
  shell(commands, {
    linux: {
      devices: [{ path: '/dev/loop', type: 'b', major: 7, minor: 0 }],
      resources: { devices: resources },
    },
  })
const tryDevices =
  'for d in null zero full random urandom tty loop; do head -c 1 /dev/$d 2>&1 | wc -c; done; mknod /dev/x c 1 5; mknod /dev/y b 7 9'

/** `linux` of config.json: namespaces, devices, cgroups, sysctl. */
export const linuxCases: Cases = {
  devices: {
    config: config({
      linux: {
        devices: [
          { path: '/dev/fuse', type: 'c', major: 10, minor: 229, fileMode: 0o600, uid: 1000, gid: 2000 },
          { path: '/dev/deep/er/block', type: 'b', major: 7, minor: 0 },
          { path: '/dev/pipe', type: 'p', fileMode: 0o622 },
          { path: '/dev/tty', type: 'c', major: 5, minor: 0, fileMode: 0o620 },
          { path: '/dev/unbuffered', type: 'u', major: 1, minor: 5 },
        ],
        resources: {
          devices: [
            { allow: false, access: 'rwm' },
            { allow: true, type: 'c', major: 10, minor: 229, access: 'rw' },
            { allow: true, type: 'b', access: 'r' },
          ],
        },
      },
    }),
  },
  'devices in a user namespace': {
    config: config({ linux: { ...mapped, devices: [{ path: '/dev/kmsg', type: 'c', major: 1, minor: 11 }] } }),
  },
  'no rules for devices': { config: devices([], tryDevices) },
  'every device is denied': { config: devices([{ allow: false, access: 'rwm' }], tryDevices) },
  'every device is allowed': { config: devices([{ allow: true, access: 'rwm' }], tryDevices) },
  'devices are denied one by one': {
    config: devices(
      [
        { allow: true, access: 'rwm' },
        { allow: false, type: 'b', major: 7, minor: 0, access: 'w' },
        { allow: false, type: 'b', major: 7, minor: 9, access: 'rwm' },
        { allow: true, type: 'b', major: 7, minor: 9, access: 'r' },
      ],
      `${tryDevices}; echo x >/dev/loop`,
    ),
  },

  sysctl: {
    config: shell(
      'cd /proc/sys; cat net/ipv4/ip_forward kernel/msgmax net/ipv4/ip_unprivileged_port_start fs/mqueue/msg_max kernel/domainname',
      {
        linux: {
          sysctl: {
            'net.ipv4.ip_forward': '1',
            'kernel.msgmax': '12345',
            'net/ipv4/ip_unprivileged_port_start': '81',
            'fs.mqueue.msg_max': '9',
            'kernel.domainname': 'example.org',
          },
        },
      },
    ),
  },
  'sysctl of a user namespace': {
    since: 2,
    config: shell('cat /proc/sys/user/max_mnt_namespaces', {
      linux: { ...mapped, sysctl: { 'user.max_mnt_namespaces': '77' } },
    }),
  },

  'limits of the cgroup': {
    config: limits({
      memory: { limit: 64 * megabytes, reservation: 32 * megabytes },
      cpu: { shares: 512, quota: 50000, period: 100000, cpus: '0' },
      pids: { limit: 99 },
    }),
  },
  'memory and swap': { config: limits({ memory: { limit: 64 * megabytes, swap: 96 * megabytes, swappiness: 7 } }) },
  'memory without a limit': { config: limits({ memory: { limit: -1, swap: -1 } }) },
  'no OOM killer': { config: limits({ memory: { limit: 64 * megabytes, disableOOMKiller: true } }) },
  'a period without a quota': { config: limits({ cpu: { period: 50000 } }) },
  'a quota with a burst': { since: 2, config: limits({ cpu: { quota: 50000, burst: 10000 } }) },
  'a cgroup that is idle': { since: 2, config: limits({ cpu: { idle: 1 } }) },
  'a set of CPUs and of memory nodes': { config: limits({ cpu: { cpus: '0-1', mems: '0' } }) },
  'no limit of processes': { config: limits({ pids: { limit: -1 } }) },
  'block I/O': {
    config: limits({
      blockIO: {
        throttleReadBpsDevice: [{ major: 254, minor: 0, rate: 1000000 }],
        throttleWriteIOPSDevice: [{ major: 254, minor: 0, rate: 500 }],
      },
    }),
  },

  'a named cgroup': { config: config({ linux: { cgroupsPath: `/${parentCgroup}/side-by-side` } }) },
  'a cgroup by a relative path': { config: config({ linux: { cgroupsPath: `${parentCgroup}/side-by-side` } }) },
  'a cgroup namespace': { config: config({ linux: withNamespace('cgroup') }) },

  'namespaces of the host': { config: config({ hostname: undefined, linux: namespaces('mount') }) },
  'the network of the host': { config: config({ linux: namespaces('pid', 'ipc', 'uts', 'mount') }) },
  'the processes of the host': {
    config: shell('readlink /proc/self/ns/pid | grep -q . && id', {
      linux: namespaces('network', 'ipc', 'uts', 'mount'),
    }),
  },
  'namespaces of another process': {
    config: config({
      hostname: undefined,
      linux: {
        namespaces: [
          { type: 'mount' },
          ...['network', 'ipc', 'uts', 'pid'].map((type) => ({
            type,
            path: `/proc/${process.pid}/ns/${type === 'network' ? 'net' : type}`,
          })),
        ],
      },
    }),
  },
  'a user namespace': { config: config({ linux: mapped }) },
  'a user in a user namespace': {
    config: config({ process: user(1000, 1000, { additionalGids: [7] }), linux: mapped }),
  },
  'a user namespace of several ranges': {
    config: config({
      linux: {
        ...mapped,
        uidMappings: [
          { containerID: 0, hostID: 100000, size: 1 },
          { containerID: 1, hostID: 300000, size: 65535 },
        ],
      },
    }),
  },
  'a user namespace that maps root to itself': {
    config: config({ linux: { ...mapped, uidMappings: mappings(0), gidMappings: mappings(0) } }),
  },
  'offsets of clocks': {
    since: 2,
    config: config({
      linux: {
        ...withNamespace('time'),
        timeOffsets: { monotonic: { secs: 7881, nanosecs: 2718281 }, boottime: { secs: -5, nanosecs: 0 } },
      },
    }),
  },
  'a time namespace': { since: 2, config: config({ linux: withNamespace('time') }) },

  'a hostname': { config: config({ hostname: 'alpha' }) },
  'a domain name': { since: 2, config: config({ domainname: 'example.org' }) },
  ...each('personality', ['LINUX', 'LINUX32'], (domain) => ({
    since: 2,
    config: config({ linux: { personality: { domain } } }),
  })),
  ...each('memory policy', ['DEFAULT', 'LOCAL', 'BIND', 'INTERLEAVE', 'PREFERRED_MANY'], (mode) => ({
    since: 4,
    config: config({
      linux: { memoryPolicy: { mode: `MPOL_${mode}`, nodes: mode === 'DEFAULT' || mode === 'LOCAL' ? '' : '0' } },
    }),
  })),
  'a memory policy with flags': {
    since: 4,
    config: config({
      linux: { memoryPolicy: { mode: 'MPOL_BIND', nodes: '0', flags: ['MPOL_F_STATIC_NODES'] } },
    }),
  },
  'the keyring of the session': {
    config: shell('grep -c _ses.side-by-side /proc/keys | grep -c -v ^0', { linux: { maskedPaths: [] } }),
  },
}
