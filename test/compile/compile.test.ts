import { expect, test } from 'vitest'
import type { IDMapping, IntelRdt, Linux, RuntimeConfig, Seccomp } from '../../src/oci/runtime-config.ts'
import type { Step } from '../../src/program/program.ts'
import { type CompileTestInput, compileWith, hosts, stepsOf } from './hosts.ts'

const stepsNamed = (name: string, input: CompileTestInput): readonly Step[] =>
  stepsOf(compileWith(input)).filter(({ op }) => op === name)
const refusal = (code: string, pointer: string): unknown => expect.objectContaining({ code, pointer })
const namespaces = (...types: readonly string[]): Pick<Linux, 'namespaces'> =>
  ({ namespaces: ['mount', ...types].map((type) => ({ type })) }) as Pick<Linux, 'namespaces'>

test('the same input gives the same program', () => {
  expect(compileWith({})).toEqual(compileWith({}))
})

test.each([
  ['net.ipv4.ip_forward', 'network', 'sys/net/ipv4/ip_forward'],
  ['net/ipv4/conf/eth0.100/rp_filter', 'network', 'sys/net/ipv4/conf/eth0.100/rp_filter'],
  ['net.ipv4.conf.eth0/100.rp_filter', 'network', 'sys/net/ipv4/conf/eth0.100/rp_filter'],
  ['kernel.shmmax', 'ipc', 'sys/kernel/shmmax'],
  ['kernel.sem', 'ipc', 'sys/kernel/sem'],
  ['fs.mqueue.msg_max', 'ipc', 'sys/fs/mqueue/msg_max'],
  ['kernel.domainname', 'uts', 'sys/kernel/domainname'],
])('sysctl %s needs a %s namespace, and is %s', (key, type, path) => {
  const linux = { sysctl: { [key]: '1' } }
  const write = stepsNamed('write_file', { linux: { ...linux, ...namespaces(type) } }).find(({ from }) =>
    from.startsWith('/linux/sysctl/'),
  )
  expect(write?.operands).toMatchObject({ at: 'proc', path, content: '1' })
  const pointer = `/linux/sysctl/${key.replaceAll('/', '~1')}`
  expect(() => compileWith({ linux: { ...linux, ...namespaces() } })).toThrow(refusal('ERR_CONFIG_INVALID', pointer))
})

test.each(['kernel.panic', 'vm.swappiness', 'kernel.hostname', 'fs.file-max', 'net', 'kernel.shmmax2'])(
  'sysctl %s is refused whatever namespaces there are',
  (key) => {
    const linux = { sysctl: { [key]: '1' }, ...namespaces('network', 'ipc', 'uts', 'pid') }
    expect(() => compileWith({ linux })).toThrow(refusal('ERR_CONFIG_INVALID', `/linux/sysctl/${key}`))
  },
)

test('a sysctl that would climb out of /proc/sys is refused', () => {
  for (const key of ['net/../../../etc/passwd', 'net/./x', 'net.ipv4.', 'net..x', 'net.\0//\0//\0etc']) {
    const linux = { sysctl: { [key]: 'x' }, ...namespaces('network') }
    expect(() => compileWith({ linux }), key).toThrow(expect.objectContaining({ code: 'ERR_CONFIG_INVALID' }))
  }
})

const own: readonly IDMapping[] = [{ containerID: 0, hostID: 1000, size: 1 }]
const ranges: readonly IDMapping[] = [...own, { containerID: 1, hostID: 100_000, size: 65_536 }]
const user = (mappings: readonly IDMapping[]): Partial<Linux> => ({
  ...namespaces('user'),
  uidMappings: mappings,
  gidMappings: mappings,
})

test('root writes any id map, and leaves setgroups alone', () => {
  const steps = stepsOf(compileWith({ linux: user(ranges) })).filter(({ from }) => from.endsWith('Mappings'))
  const contents = steps.filter(({ op }) => op === 'write_file').map(({ operands }) => operands.content)
  expect(contents).toEqual(['0 1000 1\n1 100000 65536\n', '0 1000 1\n1 100000 65536\n'])
})

test('a user maps only the own id with setgroups denied, and the program sets no groups', () => {
  const program = compileWith({ linux: user(own), facts: hosts.rootlessV2 })
  const writes = program.host.filter(({ from }) => from.endsWith('Mappings')).map(({ operands }) => operands.content)
  expect(writes).toEqual(['deny', '0 1000 1\n', '0 1000 1\n'])
  expect(stepsOf(program).some(({ op }) => op === 'setgroups')).toBe(false)
})

test('a user maps ranges by the helpers, without which there is an error', () => {
  const helpers = stepsNamed('spawn_id_map', { linux: user(ranges), facts: hosts.rootlessV2 })
  expect(helpers.map(({ operands }) => operands.helper)).toEqual(['/usr/bin/newgidmap', '/usr/bin/newuidmap'])
  expect(() => compileWith({ linux: user(ranges), facts: { ...hosts.rootlessV2, idMapHelpers: {} } })).toThrow(
    refusal('ERR_PERMISSION', '/linux/gidMappings'),
  )
})

test('a new user namespace without mappings is refused', () => {
  expect(() => compileWith({ linux: namespaces('user') })).toThrow(refusal('ERR_CONFIG_INVALID', '/linux/uidMappings'))
  expect(() => compileWith({ linux: { ...namespaces('user'), uidMappings: [...own] } })).toThrow(
    refusal('ERR_CONFIG_INVALID', '/linux/gidMappings'),
  )
})

test.each([
  [
    ['A=1', 'A=2', 'B=1', 'A='],
    ['A=', 'B=1'],
  ],
  [['HOME=', 'A=1'], ['A=1']],
  [['HOME=/x'], ['HOME=/x']],
  [['A', 'A=1'], ['A=1']],
  [[], []],
] as const)('the environment %j becomes %j', (env, expected) => {
  const [step] = stepsNamed('execve', { process: { env: [...env] } })
  expect(step?.operands.env).toEqual(expected)
})

test('HOME is looked up if it is not set', () => {
  expect(stepsNamed('default_home', { process: { env: ['HOME='] } })).toHaveLength(1)
  expect(stepsNamed('default_home', { process: { env: ['HOME=/x'] } })).toHaveLength(0)
})

test.each([
  [['PATH=/a:/b'], '/a:/b'],
  [['PATH=/a', 'PATH=/b'], '/b'],
  [['PATH='], null],
  [[], null],
])('with the environment %j the command is searched for in %j', (env, path) => {
  expect(stepsNamed('find_command', { process: { env } })[0]?.operands.path).toBe(path)
})

test.each([
  ['a hostname of the host', { hostname: 'x' }, '/hostname'],
  ['a domain name of the host', { domainname: 'x' }, '/domainname'],
  ['a mount over the root', { mounts: [{ destination: '/a/..', type: 'tmpfs' }] }, '/mounts/0/destination'],
  ['a bind of nothing', { mounts: [{ destination: '/a', options: ['bind'] }] }, '/mounts/0/source'],
  [
    'a bind with options of a filesystem',
    { mounts: [{ destination: '/a', source: '/b', options: ['bind', 'size=1'] }] },
    '/mounts/0/options',
  ],
] as readonly (readonly [string, Partial<RuntimeConfig>, string])[])('%s is refused', (_, config, pointer) => {
  expect(() => compileWith({ config })).toThrow(refusal('ERR_CONFIG_INVALID', pointer))
})

test('a process without a command is refused', () => {
  expect(() => compileWith({ process: { args: [] } })).toThrow(refusal('ERR_CONFIG_INVALID', '/process/args'))
})

test.each(['maskedPaths', 'readonlyPaths'] as const)('%s without a mount namespace are refused', (field) => {
  const linux = { namespaces: [{ type: 'pid' as const }], [field]: ['/proc/kcore'] }
  expect(() => compileWith({ linux })).toThrow(refusal('ERR_CONFIG_INVALID', `/linux/${field}`))
})

test.each(['bogus', 'constructor'])('the root propagation %s is refused', (rootfsPropagation) => {
  expect(() => compileWith({ linux: { rootfsPropagation } })).toThrow(
    refusal('ERR_CONFIG_INVALID', '/linux/rootfsPropagation'),
  )
})

test('an unknown rlimit is refused', () => {
  const rlimits = [
    { type: 'RLIMIT_NOFILE', soft: 1, hard: 1 },
    { type: 'RLIMIT_NONE', soft: 1, hard: 1 },
  ]
  expect(() => compileWith({ process: { rlimits } })).toThrow(refusal('ERR_CONFIG_INVALID', '/process/rlimits/1/type'))
})

test('sections for other platforms are ignored with a warning', () => {
  const warnings: string[] = []
  const config = { vm: { kernel: { path: '/x' } }, windows: {} } as unknown as Partial<RuntimeConfig>
  compileWith({ config, options: { warn: (message) => void warnings.push(message) } })
  expect(warnings).toEqual(['config.json: ignoring "vm", which is for another platform'])
})

test('a feature that the host lacks is refused, with the field', () => {
  const unsupported = (pointer: string) => refusal('ERR_CONFIG_UNSUPPORTED', pointer)
  expect(() => compileWith({ process: { apparmorProfile: 'a' } })).toThrow(unsupported('/process/apparmorProfile'))
  expect(() => compileWith({ process: { selinuxLabel: 'a' } })).toThrow(unsupported('/process/selinuxLabel'))
  const mounts = [{ destination: '/tmp', type: 'tmpfs' }]
  expect(() => compileWith({ config: { mounts }, linux: { mountLabel: 'a' } })).toThrow(
    unsupported('/linux/mountLabel'),
  )
  expect(() => compileWith({ linux: { intelRdt: {} } })).toThrow(unsupported('/linux/intelRdt'))
  const facts = { ...hosts.v2, resctrl: { mountPoint: '/r', hasCache: false, hasBandwidth: false } }
  const refusing = (intelRdt: IntelRdt) => expect(() => compileWith({ linux: { intelRdt }, facts }))
  refusing({ l3CacheSchema: 'L3:0=f' }).toThrow(unsupported('/linux/intelRdt/l3CacheSchema'))
  refusing({ memBwSchema: 'MB:0=50' }).toThrow(unsupported('/linux/intelRdt/memBwSchema'))
  for (const closID of ['..', 'a/b', '/a']) {
    refusing({ closID }).toThrow(refusal('ERR_CONFIG_INVALID', '/linux/intelRdt/closID'))
  }
})

test('unknown capabilities are left out with one warning, the others are kept', () => {
  const warnings: string[] = []
  const unknown = ['CAP_NONSENSE', 'CAP_FOLLY', 'CAP_NONSENSE']
  const capabilities = { bounding: ['CAP_CHOWN', ...unknown], permitted: unknown, ambient: ['constructor'] }
  const input = { process: { capabilities }, options: { warn: (message: string) => void warnings.push(message) } }
  expect(stepsNamed('bounding_set', input)[0]?.operands.keep).toBe(1n)
  expect(warnings).toEqual(['ignoring unknown or unavailable capabilities: [CAP_FOLLY CAP_NONSENSE constructor]'])
})

test('capabilities that the caller lacks, or that cannot be ambient, are named in warnings', () => {
  const warnings: string[] = []
  const all = ['CAP_CHOWN', 'CAP_NET_RAW', 'CAP_SYS_RESOURCE', 'CAP_SYS_TIME']
  const capabilities = { bounding: all, permitted: all, effective: all, inheritable: all.slice(0, 3), ambient: all }
  const facts = { ...hosts.v2, capabilities: 1n }
  compileWith({ process: { capabilities }, options: { warn: (message: string) => void warnings.push(message) }, facts })
  expect(warnings).toEqual([
    "can't raise ambient capability CAP_NET_RAW: operation not permitted",
    "can't raise ambient capability CAP_SYS_RESOURCE: operation not permitted",
    "can't raise ambient capability CAP_SYS_TIME: operation not permitted",
    'the caller does not have capabilities to give: [CAP_NET_RAW CAP_SYS_RESOURCE CAP_SYS_TIME]',
  ])
})

/** True when the process makes its first mount before it waits for the host, which makes v1 cgroups and writes limits meanwhile. */
function mountsMeanwhile(input: CompileTestInput): boolean {
  const { host, child } = compileWith({ ...input, linux: { resources: { pids: { limit: 7 } }, ...input.linux } })
  const ops = child.map(({ op }) => op)
  const clone = host.findIndex(({ op }) => op === 'clone')
  const isMeanwhile = ops.indexOf('mount') < ops.indexOf('sync_wait')
  const isV2 = input.facts === hosts.v2
  expect(host.findLastIndex(({ op }) => op === 'cgroup_make') > clone).toBe(isMeanwhile && !isV2)
  const limit = host.findIndex(({ from }) => from.startsWith('/linux/resources/'))
  expect(limit > clone).toBe(isMeanwhile)
  expect(limit).toBeLessThan(host.findIndex(({ op }) => op === 'sync_send'))
  return isMeanwhile
}

const tmpfs = (...options: readonly string[]) => ({ destination: '/tmp', type: 'tmpfs', source: 'tmpfs', options })

test.each<[string, boolean, CompileTestInput]>([
  ['cgroup v1', true, { facts: hosts.v1 }],
  ['both cgroups', true, { facts: hosts.hybrid }],
  ['both, and a tmpfs', true, { config: { mounts: [tmpfs('size=1m')] } }],
  ['cgroup v2', true, { facts: hosts.v2 }],
  ['cgroup v2, and a limit of memory', true, { facts: hosts.v2, linux: { resources: { memory: { limit: 1 << 30 } } } }],
  ['an OOM killer', true, { linux: { resources: { memory: { disableOOMKiller: false } } } }],
  ['a limit of memory', false, { linux: { resources: { memory: { limit: 1 << 30 } } } }],
  ['files copied into a tmpfs', false, { config: { mounts: [tmpfs('tmpcopyup')] } }],
  ['a user namespace', false, { linux: user(ranges) }],
  ['network devices', false, { linux: { ...namespaces('network'), netDevices: { eth1: {} } } }],
])('with %s a process makes its first mounts while the host is at its cgroups: %s', (_, meanwhile, input) => {
  expect(mountsMeanwhile(input)).toBe(meanwhile)
})

test('a process is in all of its cgroups before the first of them is mounted and before any hook', () => {
  const hooks = { createRuntime: [{ path: '/bin/hook' }], createContainer: [{ path: '/bin/hook' }] }
  const mounts = [tmpfs(), { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: [] }]
  const { host, child } = compileWith({ facts: hosts.v1, config: { hooks, mounts } })
  const entered = child.findLastIndex(({ from, op }) => op === 'write_file' && from === '/linux/cgroupsPath')
  expect(child.filter(({ op }) => op === 'write_file')).toHaveLength(hosts.v1.cgroups.hierarchies.length)
  expect(entered).toBeLessThan(child.findIndex(({ from }) => from === '/mounts/1'))
  expect(entered).toBeGreaterThan(child.findIndex(({ from }) => from === '/mounts/0'))
  expect(entered).toBeLessThan(child.findIndex(({ op }) => op === 'spawn'))
  const named = (name: string) => host.findIndex(({ op }) => op === name)
  expect(named('spawn')).toBeGreaterThan(host.findLastIndex(({ op }) => op === 'cgroup_make'))
  expect(host[named('sync_send')]?.undo.map(({ op }) => op)).toEqual(['kill_child', 'cgroup_kill'])
})

test('on cgroup v2 an OOM kill of the process is reported at every step of the host after clone', () => {
  const { host } = compileWith({ facts: hosts.v2, linux: { resources: { memory: { limit: 4096 } } } })
  const undoOf = (name: string) => host.find(({ op }) => op === name)?.undo.map(({ op }) => op)
  expect(undoOf('clone')).toEqual(['kill_child', 'report_file', 'cgroup_kill'])
  expect(undoOf('sync_send')).toEqual([])
})

const notifying: Seccomp = {
  defaultAction: 'SCMP_ACT_ALLOW',
  listenerPath: '/run/agent.sock',
  syscalls: [{ names: ['mkdir'], action: 'SCMP_ACT_NOTIFY' }],
}

/** True when the container's process passes `ready` as soon as it has its root, not after its last step that can fail. */
function isReadyWithItsRoot(input: CompileTestInput): boolean {
  const child = compileWith(input).child.map(({ op, operands }) => (op === 'sync_send' ? operands.barrier : op))
  const ready = child.indexOf(2)
  expect(ready).toBeGreaterThan(child.indexOf('pivot_root'))
  return ready < child.indexOf('capset')
}

test.each<[string, boolean, CompileTestInput]>([
  ['run', true, {}],
  ['run -d', false, { options: { mode: 'detached' } }],
  ['create', false, { options: { mode: 'create' } }],
  ['limits that the host sets', false, { process: { rlimits: [{ type: 'RLIMIT_CORE', soft: 0, hard: 0 }] } }],
  ['an agent of seccomp', false, { linux: { seccomp: notifying } }],
])('with %s the process is ready with its root: %s', (_, early, input) => {
  expect(isReadyWithItsRoot(input)).toBe(early)
})

const dev = { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: [] }
const cgroup = { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: [] }
const inDev = { destination: '/dev/cgroup', type: 'tmpfs', source: 'tmpfs', options: [] }

test.each<[string, boolean, CompileTestInput]>([
  ['/dev, then the cgroups', true, { config: { mounts: [dev, cgroup] } }],
  ['no /dev', false, { config: { mounts: [cgroup] } }],
  ['/dev last', false, { config: { mounts: [cgroup, dev] } }],
  ['a mount in /dev last', false, { config: { mounts: [dev, cgroup, inDev] } }],
  ['a device elsewhere', false, { config: { mounts: [dev, cgroup] }, linux: { devices: [deviceAt('/srv/null')] } }],
  ['a device in /dev', true, { config: { mounts: [dev, cgroup] }, linux: { devices: [deviceAt('/dev/x')] } }],
  [
    'a device that only seems to be',
    false,
    { config: { mounts: [dev, cgroup] }, linux: { devices: [deviceAt('/dev/../x')] } },
  ],
])('with %s devices are made before the process has its cgroups: %s', (_, early, input) => {
  const child = compileWith({ facts: hosts.v1, ...input }).child.map(({ op }) => op)
  expect(child.lastIndexOf('mknod') < child.indexOf('sync_wait')).toBe(early)
  expect(child.indexOf('sync_wait')).toBeLessThan(child.indexOf('reopen_null'))
})

function deviceAt(path: string) {
  return { path, type: 'c' as const, major: 1, minor: 3 }
}

test('for root of a user namespace devices are bound, though the container has no namespace of its own', () => {
  const made = (inUserNamespace: boolean) => stepsNamed('mknod', { facts: { ...hosts.v2, inUserNamespace } }).length
  expect([made(false) > 0, made(true)]).toEqual([true, 0])
})
