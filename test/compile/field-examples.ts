import type { HostFacts } from '../../src/compile/facts.ts'
import type { NamespaceType } from '../../src/oci/runtime-config.ts'

export const hostNames = ['v1', 'hybrid', 'v2', 'v2 and v1 elsewhere', 'rootless on v2'] as const
export type HostName = (typeof hostNames)[number]

/** An example of one field of config.json: its value when set and when not set. */
export interface Example {
  /** The pointer in the document, for a field in a list or a map; default: the field. */
  readonly at?: string
  readonly set: unknown
  /** The value when not set; default: absent. */
  readonly otherwise?: unknown
  /** Other values of the document, by pointer. */
  readonly beside?: Readonly<Record<string, unknown>>
  /** Facts that the host must have: without them the field is refused. */
  readonly needs?: { readonly name: string; readonly facts: Partial<HostFacts> }
  /** The reason for which the field is ignored, on all hosts or on some. */
  readonly ignored?: string | Partial<Record<HostName, string>>
}

const namespaces = (...more: readonly NamespaceType[]) => ({
  '/linux/namespaces': (['mount', 'pid', 'network', 'ipc', 'uts', ...more] as const).map((type) => ({ type })),
})
const range = [{ containerID: 0, hostID: 100_000, size: 65_536 }]
const userNamespace = { ...namespaces('user'), '/linux/uidMappings': range, '/linux/gidMappings': range }
const capability = { at: '0', set: 'CAP_KILL' }
const hook = { '/hooks/KIND/0/path': '/bin/hook', '/hooks/KIND/0/args': ['hook'] }
const hookKinds = ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop'] as const

const hookExamples = Object.fromEntries(
  hookKinds.flatMap((kind) => {
    const at = `/hooks/${kind}/0`
    const beside = Object.fromEntries(Object.entries(hook).map(([key, value]) => [key.replace('KIND', kind), value]))
    return [
      [`/hooks/${kind}/*/path`, { at: `${at}/path`, set: '/bin/other', otherwise: '/bin/hook', beside }],
      [`/hooks/${kind}/*/args/*`, { at: `${at}/args/1`, set: 'word', beside }],
      [`/hooks/${kind}/*/env/*`, { at: `${at}/env/0`, set: 'A=1', beside: { ...beside, [`${at}/env`]: [] } }],
      [`/hooks/${kind}/*/timeout`, { at: `${at}/timeout`, set: 5, beside }],
    ] as const
  }),
)

const bind = { '/mounts/0': { destination: '/data', source: '/srv', options: ['rbind'] } }
const idmapped = {
  ...bind,
  '/mounts/0/uidMappings': [{ containerID: 0, hostID: 7, size: 1 }],
  '/mounts/0/gidMappings': [{ containerID: 0, hostID: 7, size: 1 }],
}
const mappingOf = (list: string) =>
  Object.fromEntries(
    Object.entries({ containerID: 1, hostID: 8, size: 2 }).map(([name, set]) => [
      `/mounts/*/${list}/*/${name}`,
      {
        at: `/mounts/0/${list}/0/${name}`,
        set,
        otherwise: name === 'size' ? 1 : name === 'hostID' ? 7 : 0,
        beside: idmapped,
      },
    ]),
  )
const containerMappingOf = (list: string) =>
  Object.fromEntries(
    Object.entries({ containerID: 1, hostID: 200_000, size: 5 }).map(([name, set]) => [
      `/linux/${list}/*/${name}`,
      { at: `/linux/${list}/0/${name}`, set, otherwise: range[0]?.[name as 'size'], beside: userNamespace },
    ]),
  )

const rule = {
  '/linux/resources/devices': [
    { allow: false, access: 'rwm' },
    { allow: true, type: 'c', major: 10, minor: 229, access: 'rw' },
  ],
}
const ruleOf = (name: string, set: unknown, otherwise?: unknown): Example => ({
  at: `/linux/resources/devices/1/${name}`,
  set,
  otherwise,
  beside: rule,
})

const throttleKinds = ['ReadBps', 'WriteBps', 'ReadIOPS', 'WriteIOPS'].map((kind) => `throttle${kind}Device`)
const throttles = Object.fromEntries(
  throttleKinds.flatMap((kind) =>
    Object.entries({ major: 8, minor: 16, rate: 4096 }).map(([name, set]) => {
      const list = `/linux/resources/blockIO/${kind}`
      const beside = { [list]: [{ major: 7, minor: 0, rate: 1 }] }
      return [
        `${list}/*/${name}`,
        { at: `${list}/0/${name}`, set, otherwise: { major: 7, minor: 0, rate: 1 }[name], beside },
      ]
    }),
  ),
)
const weightOf = (name: string, set: number, otherwise?: number): Example => ({
  at: `/linux/resources/blockIO/weightDevice/0/${name}`,
  set,
  otherwise,
  beside: { '/linux/resources/blockIO/weightDevice': [{ major: 7, minor: 0, weight: 500 }] },
})

const node = { '/linux/devices': [{ path: '/dev/x', type: 'c', major: 10, minor: 229 }] }
const nodeOf = (name: string, set: unknown, otherwise?: unknown, ignored?: Example['ignored']): Example => ({
  at: `/linux/devices/0/${name}`,
  set,
  otherwise,
  beside: node,
  ...(ignored === undefined ? {} : { ignored }),
})
const isBound = { 'rootless on v2': "the node is a bind of the host's" }

const call = { names: ['read'], action: 'SCMP_ACT_ERRNO' }
const seccomp = { '/linux/seccomp': { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [call] } }
const argument = {
  '/linux/seccomp': {
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [{ ...call, args: [{ index: 0, value: 1, valueTwo: 1, op: 'SCMP_CMP_MASKED_EQ' }] }],
  },
}
const notify = {
  '/linux/seccomp': {
    defaultAction: 'SCMP_ACT_ALLOW',
    listenerPath: '/run/agent',
    syscalls: [{ names: ['mkdir'], action: 'SCMP_ACT_NOTIFY' }],
  },
}
const argumentOf = (name: string, set: unknown, otherwise: unknown): Example => ({
  at: `/linux/seccomp/syscalls/0/args/0/${name}`,
  set,
  otherwise,
  beside: argument,
})

const scheduler = (policy: string, more = {}) => ({ '/process/scheduler': { policy, ...more } })
const deadline = scheduler('SCHED_DEADLINE', { runtime: 10, deadline: 20, period: 20 })
const appArmor = { name: 'AppArmor', facts: { appArmor: { attribute: 'exec' } } } as const
const selinux = { name: 'SELinux', facts: { hasSELinux: true } }
const resctrl = {
  name: 'resctrl',
  facts: { resctrl: { mountPoint: '/sys/fs/resctrl', hasCache: true, hasBandwidth: true } },
}
const notInit = '`exec` heeds it: it is not for the first process'

/** An example of every field of `runtimeConfig`. A new field fails the test until it has one. */
export const fieldExamples: Readonly<Record<string, Example>> = {
  '/ociVersion': { set: '1.2.0', otherwise: '1.3.0', ignored: 'it says which version the document follows' },
  '/process/terminal': { set: true },
  '/process/consoleSize/height': {
    set: 50,
    otherwise: 25,
    beside: { '/process/terminal': true, '/process/consoleSize': { height: 25, width: 80 } },
  },
  '/process/consoleSize/width': {
    set: 90,
    otherwise: 80,
    beside: { '/process/terminal': true, '/process/consoleSize': { height: 25, width: 80 } },
  },
  '/process/user/uid': { set: 5, otherwise: 0 },
  '/process/user/gid': { set: 5, otherwise: 0 },
  '/process/user/umask': { set: 0o77 },
  '/process/user/additionalGids/*': {
    at: '/process/user/additionalGids/0',
    set: 7,
    beside: { '/process/user/additionalGids': [] },
  },
  '/process/args/*': { at: '/process/args/1', set: 'word' },
  '/process/env/*': { at: '/process/env/0', set: 'A=1', beside: { '/process/env': [] } },
  '/process/cwd': { set: '/srv', otherwise: '/' },
  ...Object.fromEntries(
    ['bounding', 'inheritable', 'permitted'].map((name) => [
      `/process/capabilities/${name}/*`,
      { ...capability, at: `/process/capabilities/${name}/0`, beside: { [`/process/capabilities/${name}`]: [] } },
    ]),
  ),
  '/process/capabilities/effective/*': {
    ...capability,
    at: '/process/capabilities/effective/0',
    beside: { '/process/capabilities': { permitted: ['CAP_KILL'], effective: [] } },
  },
  '/process/capabilities/ambient/*': {
    ...capability,
    at: '/process/capabilities/ambient/0',
    beside: { '/process/capabilities': { permitted: ['CAP_KILL'], inheritable: ['CAP_KILL'], ambient: [] } },
  },
  ...Object.fromEntries(
    Object.entries({ type: ['RLIMIT_NPROC', 'RLIMIT_NOFILE'], hard: [9, 8], soft: [6, 5] }).map(
      ([name, [set, otherwise]]) => [
        `/process/rlimits/*/${name}`,
        {
          at: `/process/rlimits/0/${name}`,
          set,
          otherwise,
          beside: { '/process/rlimits': [{ type: 'RLIMIT_NOFILE', hard: 8, soft: 5 }] },
        },
      ],
    ),
  ),
  '/process/noNewPrivileges': { set: true },
  '/process/apparmorProfile': { set: 'profile', needs: appArmor },
  '/process/oomScoreAdj': { set: 100 },
  '/process/scheduler/policy': { set: 'SCHED_BATCH', otherwise: 'SCHED_OTHER' },
  '/process/scheduler/nice': { set: 5, beside: scheduler('SCHED_OTHER') },
  '/process/scheduler/priority': { set: 5, beside: scheduler('SCHED_FIFO') },
  '/process/scheduler/flags/*': {
    at: '/process/scheduler/flags/0',
    set: 'SCHED_FLAG_RESET_ON_FORK',
    beside: scheduler('SCHED_OTHER', { flags: [] }),
  },
  '/process/scheduler/runtime': { set: 11, otherwise: 10, beside: deadline },
  '/process/scheduler/deadline': { set: 21, otherwise: 20, beside: deadline },
  '/process/scheduler/period': { set: 21, otherwise: 20, beside: deadline },
  '/process/selinuxLabel': { set: 'a:b:c', needs: selinux },
  '/process/ioPriority/class': { set: 'IOPRIO_CLASS_IDLE', otherwise: 'IOPRIO_CLASS_BE' },
  '/process/ioPriority/priority': { set: 3, beside: { '/process/ioPriority/class': 'IOPRIO_CLASS_BE' } },
  '/process/execCPUAffinity/initial': { set: '0', ignored: notInit },
  '/process/execCPUAffinity/final': { set: '0', ignored: notInit },
  '/root/path': { set: 'other', otherwise: 'rootfs' },
  '/root/readonly': { set: true },
  '/hostname': { set: 'name' },
  '/domainname': { set: 'name' },
  '/mounts/*/destination': { at: '/mounts/0/destination', set: '/other', otherwise: '/data', beside: bind },
  '/mounts/*/type': {
    at: '/mounts/0/type',
    set: 'ramfs',
    otherwise: 'tmpfs',
    beside: { '/mounts/0': { destination: '/data' } },
  },
  '/mounts/*/source': { at: '/mounts/0/source', set: '/other', otherwise: '/srv', beside: bind },
  '/mounts/*/options/*': { at: '/mounts/0/options/1', set: 'ro', beside: bind },
  ...mappingOf('uidMappings'),
  ...mappingOf('gidMappings'),
  ...hookExamples,
  '/annotations/*': {
    at: '/annotations/a',
    set: 'b',
    beside: { '/annotations': {}, '/hooks/createRuntime/0/path': '/bin/hook' },
  },
  ...containerMappingOf('uidMappings'),
  ...containerMappingOf('gidMappings'),
  '/linux/sysctl/*': { at: '/linux/sysctl/net.ipv4.ip_forward', set: '1' },
  '/linux/resources/devices/*/allow': ruleOf('allow', false, true),
  '/linux/resources/devices/*/type': ruleOf('type', 'b', 'c'),
  '/linux/resources/devices/*/major': ruleOf('major', 11),
  '/linux/resources/devices/*/minor': ruleOf('minor', 230),
  '/linux/resources/devices/*/access': ruleOf('access', 'r', 'rw'),
  '/linux/resources/memory/limit': { set: 2 ** 25 },
  '/linux/resources/memory/reservation': { set: 2 ** 25 },
  '/linux/resources/memory/swap': { set: 2 ** 26, beside: { '/linux/resources/memory/limit': 2 ** 25 } },
  '/linux/resources/memory/kernel': { set: 2 ** 25, ignored: 'obsolete: the kernel has no such limit' },
  '/linux/resources/memory/kernelTCP': { set: 2 ** 25, ignored: 'obsolete: the kernel has no such limit' },
  '/linux/resources/memory/swappiness': { set: 10 },
  '/linux/resources/memory/disableOOMKiller': { set: true },
  '/linux/resources/memory/useHierarchy': {
    set: true,
    ignored: { v2: 'v2 has it so', 'v2 and v1 elsewhere': 'v2 has it so', 'rootless on v2': 'v2 has it so' },
  },
  '/linux/resources/memory/checkBeforeUpdate': { set: true, ignored: '`update` heeds it' },
  '/linux/resources/cpu/shares': { set: 512 },
  '/linux/resources/cpu/quota': { set: 50_000 },
  '/linux/resources/cpu/burst': { set: 1000 },
  '/linux/resources/cpu/period': { set: 50_000 },
  '/linux/resources/cpu/realtimeRuntime': { set: 1000 },
  '/linux/resources/cpu/realtimePeriod': { set: 50_000 },
  '/linux/resources/cpu/cpus': { set: '0' },
  '/linux/resources/cpu/mems': { set: '0' },
  '/linux/resources/cpu/idle': { set: 1 },
  '/linux/resources/pids/limit': { set: 5 },
  '/linux/resources/blockIO/weight': { set: 500 },
  '/linux/resources/blockIO/leafWeight': { set: 500 },
  '/linux/resources/blockIO/weightDevice/*/major': weightOf('major', 8, 7),
  '/linux/resources/blockIO/weightDevice/*/minor': weightOf('minor', 16, 0),
  '/linux/resources/blockIO/weightDevice/*/weight': weightOf('weight', 700, 500),
  '/linux/resources/blockIO/weightDevice/*/leafWeight': weightOf('leafWeight', 700),
  ...throttles,
  '/linux/resources/hugepageLimits/*/pageSize': {
    at: '/linux/resources/hugepageLimits/0/pageSize',
    set: '1GB',
    otherwise: '2MB',
    beside: { '/linux/resources/hugepageLimits': [{ pageSize: '2MB', limit: 4096 }] },
  },
  '/linux/resources/hugepageLimits/*/limit': {
    at: '/linux/resources/hugepageLimits/0/limit',
    set: 8192,
    otherwise: 4096,
    beside: { '/linux/resources/hugepageLimits': [{ pageSize: '2MB', limit: 4096 }] },
  },
  '/linux/resources/network/classID': { set: 5 },
  ...Object.fromEntries(
    Object.entries({ name: 'eth0', priority: 5 }).map(([name, set]) => [
      `/linux/resources/network/priorities/*/${name}`,
      {
        at: '/linux/resources/network/priorities/0',
        set: { name: 'lo', priority: 1, [name]: set },
        beside: { '/linux/resources/network/priorities': [] },
      },
    ]),
  ),
  '/linux/resources/rdma/*/hcaHandles': { at: '/linux/resources/rdma/mlx5/hcaHandles', set: 3 },
  '/linux/resources/rdma/*/hcaObjects': { at: '/linux/resources/rdma/mlx5/hcaObjects', set: 3 },
  '/linux/resources/unified/*': { at: '/linux/resources/unified/memory.high', set: '4096' },
  '/linux/cgroupsPath': { set: '/pods/web' },
  '/linux/namespaces/*/type': {
    at: '/linux/namespaces',
    set: namespaces('time')['/linux/namespaces'],
    otherwise: namespaces()['/linux/namespaces'],
  },
  '/linux/namespaces/*/path': { at: '/linux/namespaces/2/path', set: '/run/netns/blue', beside: namespaces() },
  '/linux/devices/*/path': nodeOf('path', '/dev/y', '/dev/x'),
  '/linux/devices/*/type': nodeOf('type', 'b', 'c'),
  '/linux/devices/*/major': nodeOf('major', 11, 10),
  '/linux/devices/*/minor': nodeOf('minor', 230, 229),
  '/linux/devices/*/fileMode': nodeOf('fileMode', 0o600, undefined, isBound),
  '/linux/devices/*/uid': nodeOf('uid', 5, undefined, isBound),
  '/linux/devices/*/gid': nodeOf('gid', 5, undefined, isBound),
  '/linux/netDevices/*/name': { at: '/linux/netDevices/eth0', set: { name: 'inner' } },
  '/linux/seccomp/defaultAction': { set: 'SCMP_ACT_ERRNO', otherwise: 'SCMP_ACT_ALLOW', beside: seccomp },
  '/linux/seccomp/defaultErrnoRet': { set: 5, beside: { '/linux/seccomp': { defaultAction: 'SCMP_ACT_ERRNO' } } },
  '/linux/seccomp/architectures/*': {
    at: '/linux/seccomp/architectures/0',
    set: 'SCMP_ARCH_X86',
    beside: { ...seccomp, '/linux/seccomp/architectures': [] },
  },
  '/linux/seccomp/flags/*': {
    at: '/linux/seccomp/flags/0',
    set: 'SECCOMP_FILTER_FLAG_LOG',
    beside: { ...seccomp, '/linux/seccomp/flags': [] },
  },
  '/linux/seccomp/listenerPath': { set: '/run/other', otherwise: '/run/agent', beside: notify },
  '/linux/seccomp/listenerMetadata': { set: 'text', beside: notify },
  '/linux/seccomp/syscalls/*/names/*': { at: '/linux/seccomp/syscalls/0/names/1', set: 'write', beside: seccomp },
  '/linux/seccomp/syscalls/*/action': {
    at: '/linux/seccomp/syscalls/0/action',
    set: 'SCMP_ACT_KILL',
    otherwise: 'SCMP_ACT_ERRNO',
    beside: seccomp,
  },
  '/linux/seccomp/syscalls/*/errnoRet': { at: '/linux/seccomp/syscalls/0/errnoRet', set: 5, beside: seccomp },
  '/linux/seccomp/syscalls/*/args/*/index': argumentOf('index', 1, 0),
  '/linux/seccomp/syscalls/*/args/*/value': argumentOf('value', 3, 1),
  '/linux/seccomp/syscalls/*/args/*/valueTwo': argumentOf('valueTwo', 0, 1),
  '/linux/seccomp/syscalls/*/args/*/op': argumentOf('op', 'SCMP_CMP_GE', 'SCMP_CMP_MASKED_EQ'),
  '/linux/rootfsPropagation': { set: 'rshared' },
  '/linux/maskedPaths/*': { at: '/linux/maskedPaths/0', set: '/proc/kcore', beside: { '/linux/maskedPaths': [] } },
  '/linux/readonlyPaths/*': { at: '/linux/readonlyPaths/0', set: '/proc/sys', beside: { '/linux/readonlyPaths': [] } },
  '/linux/mountLabel': {
    set: 'a:b:c',
    beside: { '/mounts/0': { destination: '/data', type: 'tmpfs' } },
    needs: selinux,
  },
  '/linux/intelRdt/closID': { set: 'class', needs: resctrl },
  '/linux/intelRdt/schemata/*': {
    at: '/linux/intelRdt/schemata/0',
    set: 'L3:0=f',
    beside: { '/linux/intelRdt': {}, '/linux/intelRdt/schemata': [] },
    needs: resctrl,
  },
  '/linux/intelRdt/l3CacheSchema': { set: 'L3:0=f', needs: resctrl },
  '/linux/intelRdt/memBwSchema': { set: 'MB:0=50', needs: resctrl },
  '/linux/intelRdt/enableMonitoring': { set: true, needs: resctrl },
  '/linux/memoryPolicy/mode': { set: 'MPOL_LOCAL', otherwise: 'MPOL_DEFAULT' },
  '/linux/memoryPolicy/nodes': {
    set: '0',
    otherwise: '1',
    beside: { '/linux/memoryPolicy': { mode: 'MPOL_BIND', nodes: '1' } },
  },
  '/linux/memoryPolicy/flags/*': {
    at: '/linux/memoryPolicy/flags/0',
    set: 'MPOL_F_STATIC_NODES',
    beside: { '/linux/memoryPolicy': { mode: 'MPOL_BIND', nodes: '0', flags: [] } },
  },
  '/linux/personality/domain': { set: 'LINUX32', otherwise: 'LINUX' },
  '/linux/personality/flags/*': {
    at: '/linux/personality/flags/0',
    set: 'ADDR_NO_RANDOMIZE',
    beside: { '/linux/personality': { domain: 'LINUX', flags: [] } },
    ignored: 'the specification knows no flag',
  },
  '/linux/timeOffsets/*/secs': { at: '/linux/timeOffsets/monotonic/secs', set: 5, beside: namespaces('time') },
  '/linux/timeOffsets/*/nanosecs': { at: '/linux/timeOffsets/boottime/nanosecs', set: 5, beside: namespaces('time') },
}
