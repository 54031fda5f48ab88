import type { Json } from '../observe.ts'
import { bind, type Change, config, everyNamespace, mapped, mappings, namespaces, tmpfs, user } from './config.ts'

const limit = (type: string, soft: number, hard: number) => ({ type, soft, hard })
const failingHook = (kind: string): Change => ({
  hooks: { [kind]: [{ path: '/bin/sh', args: ['sh', '-c', 'exit 3'] }] },
})

/** Configs that both refuse, before anything of the image runs. A number is the minor version of runc that began to. */
export const refused: Readonly<Record<string, Json | readonly [since: number, config: Json]>> = {
  'a command that is not there': config({ process: { args: ['/bin/nothing'] } }),
  'a command that is not in PATH': config({ process: { args: ['nothing'] } }),
  'a command that is a directory': config({ process: { args: ['/data'] } }),
  'a command that is not executable': config({ process: { args: ['/data/file'] } }),
  'no command': config({ process: { args: [] } }),
  'no process': { ...config(), process: undefined },
  'a relative working directory': config({ process: { cwd: 'data' } }),
  'a working directory that is a file': config({ process: { cwd: '/data/file' } }),
  'a working directory outside the container': config({ process: { cwd: '/proc/self/fd/7' } }),
  'a rootfs that is not there': config({ root: { path: 'missing' } }),
  'a rootfs that is a file': config({ root: { path: 'rootfs/data/file' } }),
  'no rootfs': { ...config(), root: undefined },

  'a bind mount of what is not there': config({ mounts: [bind('/missing', '/data')] }),
  'a bind mount with options of a file system': [2, config({ mounts: [bind('/usr', '/data', 'size=1m')] })],
  'an unknown file system': config({ mounts: [{ destination: '/data', type: 'nosuchfs', source: 'x' }] }),
  'an option that the file system does not know': config({ mounts: [tmpfs('/data', 'nonsense=1')] }),
  'a mount over /proc': config({ mounts: [tmpfs('/proc')] }),
  'a mount below /proc': config({ mounts: [bind('/usr', '/proc/sys')] }),
  'a directory over a file': config({ mounts: [bind('/usr', '/data/file')] }),
  'an idmapped mount with one mapping': [
    2,
    config({ mounts: [{ ...bind('rootfs/data', '/data'), uidMappings: mappings(1) }] }),
  ],
  'an idmapped tmpfs': [
    2,
    config({ mounts: [{ ...tmpfs('/data'), uidMappings: mappings(1), gidMappings: mappings(1) }] }),
  ],

  'an unknown resource limit': config({ process: { rlimits: [limit('RLIMIT_X', 1, 1)] } }),
  'a resource limit above itself': config({ process: { rlimits: [limit('RLIMIT_NOFILE', 2, 1)] } }),
  'an OOM score out of range': config({ process: { oomScoreAdj: 1001 } }),
  'an AppArmor profile where there is no AppArmor': config({ process: { apparmorProfile: 'nothing' } }),
  'an SELinux label where there is no SELinux': config({ process: { selinuxLabel: 'a:b:c:d' } }),
  'an unknown scheduling policy': [2, config({ process: { scheduler: { policy: 'SCHED_NONE' } } })],
  'a priority that the policy has not': [2, config({ process: { scheduler: { policy: 'SCHED_BATCH', priority: 7 } } })],
  'an unknown I/O class': [2, config({ process: { ioPriority: { class: 'IOPRIO_CLASS_NONE', priority: 1 } } })],
  'an I/O priority out of range': [2, config({ process: { ioPriority: { class: 'IOPRIO_CLASS_BE', priority: 8 } } })],

  'a sysctl of the host': config({ linux: { sysctl: { 'kernel.panic': '1' } } }),
  'a sysctl for the hostname': config({ linux: { sysctl: { 'kernel.hostname': 'x' } } }),
  'a sysctl that is not there': config({ linux: { sysctl: { 'net.nothing': '1' } } }),
  'a network sysctl without a network namespace': config({
    linux: { ...namespaces('pid', 'ipc', 'uts', 'mount'), sysctl: { 'net.ipv4.ip_forward': '1' } },
  }),
  'a hostname without a UTS namespace': config({ hostname: 'x', linux: namespaces('pid', 'network', 'ipc', 'mount') }),
  'a domain name without a UTS namespace': [
    2,
    config({ hostname: undefined, domainname: 'x', linux: namespaces('pid', 'network', 'ipc', 'mount') }),
  ],
  'a namespace twice': config({ linux: namespaces('pid', 'pid', 'mount') }),
  'an unknown namespace': config({ linux: namespaces('pid', 'mount', 'nothing') }),
  'a namespace path that is not there': config({
    linux: { namespaces: [{ type: 'network', path: '/missing' }, { type: 'mount' }] },
  }),
  'a namespace of another type': config({
    linux: { namespaces: [{ type: 'network', path: '/proc/1/ns/ipc' }, { type: 'mount' }] },
  }),
  'a user namespace without mappings': config({ linux: namespaces(...everyNamespace) }),
  'a group that is not mapped': config({
    process: user(0, 0, { additionalGids: [70000] }),
    linux: mapped,
  }),
  'a user that is not mapped': config({ process: user(70000, 0), linux: mapped }),
  'an unknown clock': [
    2,
    config({ linux: { ...namespaces('pid', 'mount', 'time', 'uts'), timeOffsets: { real: { secs: 1 } } } }),
  ],
  'network devices without a network namespace': [
    4,
    config({ linux: { ...namespaces('pid', 'mount', 'uts'), netDevices: { eth9: {} } } }),
  ],
  'a network device that is not there': [4, config({ linux: { netDevices: { nothing9: {} } } })],
  'an unknown propagation': config({ linux: { rootfsPropagation: 'both' } }),
  'an unknown personality': [2, config({ linux: { personality: { domain: 'BSD' } } })],
  'an unknown memory policy': [4, config({ linux: { memoryPolicy: { mode: 'MPOL_NONE' } } })],
  'a memory policy without its nodes': [4, config({ linux: { memoryPolicy: { mode: 'MPOL_BIND' } } })],
  'a device that is no device': config({ linux: { devices: [{ path: '/dev/x', type: 'z', major: 1, minor: 1 }] } }),
  'a device rule that takes back part of one before': config({
    linux: {
      resources: {
        devices: [
          { allow: true, type: 'b', major: 7, access: 'rwm' },
          { allow: false, type: 'b', major: 7, minor: 0, access: 'w' },
        ],
      },
    },
  }),
  'a device rule that a default one takes part of back': config({
    linux: {
      resources: {
        devices: [
          { allow: true, access: 'rwm' },
          { allow: false, type: 'c', major: 1, access: 'rwm' },
        ],
      },
    },
  }),
  'a memory limit that is too small': config({ linux: { resources: { memory: { limit: 1024 } } } }),
  'a CPU that is not there': config({ linux: { resources: { cpu: { cpus: '1000' } } } }),
  'unified limits on cgroup v1': config({ linux: { resources: { unified: { 'memory.high': '1' } } } }),

  'an unknown action': config({ linux: { seccomp: { defaultAction: 'SCMP_ACT_NONE' } } }),
  'an unknown architecture': config({
    linux: { seccomp: { defaultAction: 'SCMP_ACT_ALLOW', architectures: ['SCMP_ARCH_NONE'], syscalls: [] } },
  }),
  'a listener that is not there': config({
    linux: {
      seccomp: {
        defaultAction: 'SCMP_ACT_ALLOW',
        listenerPath: '/missing.sock',
        syscalls: [{ names: ['mkdir'], action: 'SCMP_ACT_NOTIFY' }],
      },
    },
  }),

  'a prestart hook that fails': config(failingHook('prestart')),
  'a createRuntime hook that fails': config(failingHook('createRuntime')),
  'a createContainer hook that fails': config(failingHook('createContainer')),
  'a hook that is not there': config({ hooks: { createRuntime: [{ path: '/missing' }] } }),
  'a hook that takes too long': config({
    hooks: { createRuntime: [{ path: '/bin/sleep', args: ['sleep', '20'], timeout: 1 }] },
  }),
}
