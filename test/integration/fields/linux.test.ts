import { execFileSync } from 'node:child_process'
import { readFileSync, readlinkSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { parseSyscallTable } from '../../../src/compile/seccomp/syscalls/table.ts'
import { x86_64Syscalls } from '../../../src/compile/seccomp/syscalls/x86-64.ts'
import type { Linux, Namespace, NamespaceType, Seccomp } from '../../../src/oci/runtime-config.ts'
import { cgroupsNamed } from '../../cgroup-directories.ts'
import type { ConfigChange } from '../../container.ts'
import { requires } from '../../requirements.ts'
import { openPlace } from './inside.ts'

const { test } = requires('root', 'busybox')
const at = openPlace()

const types: readonly NamespaceType[] = ['pid', 'network', 'ipc', 'uts', 'mount']
const namespaces = (...more: readonly Namespace[]): readonly Namespace[] => [
  ...types.map((type) => ({ type })),
  ...more,
]
const withLinux = (linux: Partial<Linux>): ConfigChange => ({ linux })
const files = {
  pid: 'pid',
  network: 'net',
  ipc: 'ipc',
  uts: 'uts',
  mount: 'mnt',
  user: 'user',
  cgroup: 'cgroup',
  time: 'time',
}
const range = [{ containerID: 0, hostID: 100_000, size: 65_536 }]
const mapped = { uidMappings: range, gidMappings: [{ containerID: 0, hostID: 200_000, size: 65_536 }] }

test.each(Object.keys(files) as NamespaceType[])(
  '/linux/namespaces/type: a new %s namespace, or that of the host',
  (type) => {
    const { see } = at()
    const link = `readlink /proc/self/ns/${files[type]}`
    const host = readlinkSync(`/proc/self/ns/${files[type]}`)
    const own = see(
      link,
      withLinux({
        namespaces: [...new Set([...types, type])].map((name) => ({ type: name })),
        ...(type === 'user' ? mapped : {}),
      }),
    )
    expect(own.trim()).not.toBe(host)
    if (type === 'mount') return // without one of its own a container has no mounts to look at itself
    const without = types.filter((name) => name !== type).map((name) => ({ type: name }))
    expect(see(link, { ...withLinux({ namespaces: without }), config: { hostname: undefined } }).trim()).toBe(host)
  },
)

test('/linux/namespaces/path: one that is there is joined', () => {
  const { see, refusal } = at()
  const paths = (['network', 'ipc', 'uts'] as const).map((type) => ({ type, path: `/proc/self/ns/${files[type]}` }))
  const joined = {
    linux: { namespaces: [{ type: 'mount' } as const, { type: 'pid' } as const, ...paths] },
    config: { hostname: undefined },
  }
  const links = paths.map(({ path }) => readlinkSync(path)).join('\n')
  expect(see('cd /proc/self/ns; readlink net; readlink ipc; readlink uts', joined)).toBe(`${links}\n`)
  const wrong: Namespace = { type: 'network', path: '/proc/self/ns/ipc' }
  expect(
    refusal({ ...withLinux({ namespaces: [{ type: 'mount' }, wrong] }), config: { hostname: undefined } }),
  ).toContain('config.json#/linux/namespaces')
})

test('/linux/{uidMappings,gidMappings}: ids inside and outside', () => {
  const { see } = at()
  const change = withLinux({ namespaces: namespaces({ type: 'user' }), ...mapped })
  expect(see('cat /proc/self/uid_map /proc/self/gid_map; id -u', change).replaceAll(/ +/g, ' ')).toBe(
    ' 0 100000 65536\n 0 200000 65536\n0\n',
  )
})

test('/linux/timeOffsets: the clocks of a time namespace are set forward or back', () => {
  const { see, refusal } = at()
  const timeOffsets = { monotonic: { secs: 1000, nanosecs: 5 }, boottime: { secs: -7 } }
  const change = withLinux({ namespaces: namespaces({ type: 'time' }), timeOffsets })
  expect(see('cat /proc/self/timens_offsets', change).replaceAll(/ +/g, ' ')).toBe('monotonic 1000 5\nboottime -7 0\n')
  expect(refusal(withLinux({ timeOffsets }))).toContain('/linux/timeOffsets: needs a time namespace')
})

test('/{hostname,domainname}: names of the UTS namespace', () => {
  const { see, refusal } = at()
  const config = { hostname: 'alpha', domainname: 'example.org' }
  expect(see('cat /proc/sys/kernel/hostname /proc/sys/kernel/domainname', { config })).toBe('alpha\nexample.org\n')
  const shared = withLinux({ namespaces: [{ type: 'mount' }] })
  expect(refusal({ ...shared, config: { hostname: undefined, domainname: 'x' } })).toContain(
    '/domainname: needs a uts namespace',
  )
})

test('/linux/sysctl: by dots or slashes, and none of the host', () => {
  const { see, refusal } = at()
  const sysctl = { 'net.ipv4.ip_forward': '1', 'net/ipv4/conf/lo/forwarding': '0', 'fs.mqueue.msg_max': '9' }
  const script = 'cd /proc/sys; cat net/ipv4/ip_forward net/ipv4/conf/lo/forwarding fs/mqueue/msg_max'
  expect(see(script, withLinux({ sysctl }))).toBe('1\n0\n9\n')
  expect(refusal(withLinux({ sysctl: { 'kernel.panic': '1' } }))).toContain('config.json#/linux/sysctl/kernel.panic')
})

test('/linux/cgroupsPath: the cgroup of the container', () => {
  const { place, see } = at()
  const cgroupsPath = `/${place.id}-parent/own`
  expect(see('grep -E "pids|^0:" /proc/self/cgroup | head -n 1 | cut -d : -f 3', withLinux({ cgroupsPath }))).toBe(
    `${cgroupsPath}\n`,
  )
  for (const path of cgroupsNamed(`${place.id}-parent`)) rmdirSync(path)
})

test("/linux/sysctl: not in a namespace that is joined and is the host's", () => {
  const own = '/proc/sys/net/ipv4/ip_default_ttl'
  const before = readFileSync(own, 'utf8')
  const network = { type: 'network', path: `/proc/${process.pid}/ns/net` } as const
  const joined = { namespaces: [...namespaces().filter(({ type }) => type !== 'network'), network] }
  const sysctl = { 'net.ipv4.ip_default_ttl': '33' }
  expect(at().refusal(withLinux({ ...joined, sysctl }))).toContain('/linux/sysctl/net.ipv4.ip_default_ttl')
  expect(readFileSync(own, 'utf8')).toBe(before)
})

test('/linux/devices/{path,type,major,minor,fileMode,uid,gid}', () => {
  const devices = [
    { path: '/dev/deep/c', type: 'c', major: 1, minor: 5, fileMode: 0o640, uid: 7, gid: 8 },
    { path: '/dev/b', type: 'b', major: 7, minor: 99 },
    { path: '/dev/u', type: 'u', major: 1, minor: 3, fileMode: 0o600 },
    { path: '/dev/p', type: 'p', fileMode: 0o622 },
    { path: '/dev/slash/', type: 'c', major: 1, minor: 5, fileMode: 0o060604 },
    { path: '/dev/null', type: 'c', major: 1, minor: 3, fileMode: 0o600 },
  ] as const
  const script = 'stat -c "%n %A %t:%T %u:%g" /dev/deep/c /dev/b /dev/u /dev/p /dev/slash /dev/null'
  expect(at().see(script, withLinux({ devices })).split('\n')).toEqual([
    '/dev/deep/c crw-r----- 1:5 7:8',
    '/dev/b brw-rw-rw- 7:63 0:0',
    '/dev/u crw------- 1:3 0:0',
    '/dev/p prw--w--w- 0:0 0:0',
    '/dev/slash crw----r-- 1:5 0:0',
    '/dev/null crw------- 1:3 0:0',
    '',
  ])
  const wrong = [{ path: '/dev/x', type: 'c', major: -1, minor: 3 }] as const
  expect(at().refusal(withLinux({ devices: wrong }))).toContain('/linux/devices/0/major')
})

test('/linux/netDevices: not without a network namespace, not one that is not there', () => {
  const { refusal } = at()
  expect(
    refusal({
      ...withLinux({ namespaces: [{ type: 'mount' }], netDevices: { eth9: {} } }),
      config: { hostname: undefined },
    }),
  ).toContain('/linux/netDevices: needs a network namespace')
  expect(refusal(withLinux({ netDevices: { nothing9: {} } }))).toContain('config.json#/linux/netDevices/nothing9')
})

test.each([
  ['LINUX', 'x86_64'],
  ['LINUX32', 'i686'],
] as const)('/linux/personality/{domain,flags}: %s', (domain, machine) => {
  expect(
    at()
      .see('uname -m', withLinux({ personality: { domain, flags: [] } }))
      .trim(),
  ).toBe(process.arch === 'x64' ? machine : expect.any(String))
})

test('/linux/memoryPolicy/{mode,nodes,flags}', () => {
  const { see, refusal } = at()
  const policy = 'head -1 /proc/self/numa_maps | cut -d " " -f 2'
  expect(
    see(policy, withLinux({ memoryPolicy: { mode: 'MPOL_BIND', nodes: '0', flags: ['MPOL_F_STATIC_NODES'] } })),
  ).toBe('bind=static:0\n')
  expect(see(policy, withLinux({ memoryPolicy: { mode: 'MPOL_INTERLEAVE', nodes: '0' } }))).toBe('interleave:0\n')
  expect(see(policy, withLinux({ memoryPolicy: { mode: 'MPOL_LOCAL' } }))).toBe('local\n')
  expect(refusal(withLinux({ memoryPolicy: { mode: 'MPOL_X' } }))).toContain('config.json#/linux/memoryPolicy/mode')
  expect(refusal(withLinux({ memoryPolicy: { mode: 'MPOL_LOCAL', nodes: '0' } }))).toContain(
    '/linux/memoryPolicy/nodes',
  )
})

test.each([
  ['private', '-'],
  ['shared', 'shared'],
  ['unbindable', 'unbindable'],
])('/linux/rootfsPropagation: %s', (rootfsPropagation, shown) => {
  const script = 'awk \'$5 == "/" { print $7 }\' /proc/self/mountinfo | sed "s/:.*//"'
  expect(at().see(script, withLinux({ rootfsPropagation }))).toBe(`${shown}\n`)
})

test('--no-new-keyring: the session keyring is that of the caller', () => {
  const { place } = at()
  // The kernel removes the keyrings of earlier containers in its own time, and those of this file have one ID.
  const id = `${place.id}-keyring`
  place.configure(`grep -c "_ses.${id}" /proc/keys; true`, withLinux({ maskedPaths: [] }))
  const run = (...flags: readonly string[]) => place.tool(['run', ...flags, '-b', place.bundle, id])
  expect(run('--no-new-keyring')).toEqual({ end: 0, stdout: '0\n', stderr: '' })
  expect(run()).toEqual({ end: 0, stdout: '1\n', stderr: '' })
})

const allowing = (change: Partial<Seccomp>): ConfigChange =>
  withLinux({ seccomp: { defaultAction: 'SCMP_ACT_ALLOW', architectures: ['SCMP_ARCH_X86_64'], ...change } })
const calls = ['mkdir', 'mkdirat']
const tryMkdir = 'mkdir /dev/shm/x 2>&1; echo $?'

test.each([
  ['SCMP_ACT_ERRNO', {}, "mkdir: can't create directory '/dev/shm/x': Operation not permitted\n1\n"],
  ['SCMP_ACT_ERRNO', { errnoRet: 28 }, "mkdir: can't create directory '/dev/shm/x': No space left on device\n1\n"],
  ['SCMP_ACT_TRACE', {}, "mkdir: can't create directory '/dev/shm/x': Function not implemented\n1\n"],
  ['SCMP_ACT_TRAP', {}, 'Bad system call\n159\n'],
  ['SCMP_ACT_KILL', {}, 'Bad system call\n159\n'],
  ['SCMP_ACT_KILL_THREAD', {}, 'Bad system call\n159\n'],
  ['SCMP_ACT_KILL_PROCESS', {}, 'Bad system call\n159\n'],
  ['SCMP_ACT_LOG', {}, '0\n'],
  ['SCMP_ACT_ALLOW', {}, '0\n'],
] as const)('/linux/seccomp/syscalls/{names,action,errnoRet}: %s %j', (action, rest, shown) => {
  const seccomp = allowing({ syscalls: [{ names: [...calls, 'no_such_call'], action, ...rest }] })
  const { stdout, stderr } = at().place.run(tryMkdir, seccomp)
  expect(`${stderr.replace(/^.*(SCMP|no_such_call).*\n/gm, '')}${stdout}`).toBe(shown)
})

test('/linux/seccomp/{defaultAction,defaultErrnoRet}: of what no rule is about; unknown newer calls are ENOSYS', () => {
  const names = Object.keys(parseSyscallTable(x86_64Syscalls())).filter((name) => !calls.includes(name))
  const denying: Partial<Seccomp> = {
    defaultAction: 'SCMP_ACT_ERRNO',
    syscalls: [{ names, action: 'SCMP_ACT_ALLOW' }],
  }
  const { see, refusal } = at()
  expect(see(tryMkdir, allowing(denying))).toContain('Operation not permitted')
  expect(see(tryMkdir, allowing({ ...denying, defaultErrnoRet: 95 }))).toContain('Operation not supported')
  const old = names.filter((name) => !['clone3', 'openat2', 'faccessat2'].includes(name))
  expect(see('echo ran', allowing({ ...denying, syscalls: [{ names: old, action: 'SCMP_ACT_ALLOW' }] }))).toBe('ran\n')
  expect(refusal(allowing({ defaultErrnoRet: 1 }))).toContain('config.json#/linux/seccomp/defaultErrnoRet')
})

test('/linux/seccomp/syscalls/args/{index,value,valueTwo,op}: a rule holds for these arguments only', () => {
  const arg = { index: 1, value: 0o070, valueTwo: 0o010, op: 'SCMP_CMP_MASKED_EQ' } as const
  const seccomp = allowing({ syscalls: [{ names: ['chmod', 'fchmodat'], action: 'SCMP_ACT_ERRNO', args: [arg] }] })
  const script = 'cd /dev/shm; touch x; for m in 700 711 710 731; do chmod $m x 2>/dev/null && echo $m; done; true'
  expect(at().see(script, seccomp)).toBe('700\n731\n')
})

test.each([['SECCOMP_FILTER_FLAG_LOG'], ['SECCOMP_FILTER_FLAG_SPEC_ALLOW'], ['SECCOMP_FILTER_FLAG_TSYNC']])(
  '/linux/seccomp/flags: %s',
  (flag) => {
    const { see, refusal } = at()
    const syscalls = [{ names: calls, action: 'SCMP_ACT_ERRNO' }] as const
    const show = 'grep -E "^(Seccomp_filters|Speculation_Store_Bypass)" /proc/self/status'
    const without = see(show, allowing({ flags: [], syscalls }))
    expect(without).toContain('Seccomp_filters:\t1\n')
    const shown = see(show, allowing({ flags: [flag], syscalls }))
    expect(shown).toContain('Seccomp_filters:\t1\n')
    expect(refusal(allowing({ flags: ['SECCOMP_FILTER_FLAG_X'], syscalls }))).toContain('SECCOMP_FILTER_FLAG_X')
  },
)

/** Calls getpid(2) by the number and the way of a 32-bit process. */
const getpid32 = 'int main(void) { int r = 20; __asm__ volatile("int $0x80" : "+a"(r)); return r > 0 ? 0 : 1; }'

requires('root', 'busybox', 'gcc', 'x86_64').test(
  '/linux/seccomp/architectures: calls of one that is not listed end the process',
  () => {
    const { place, see } = at()
    const source = join(place.directory, 'getpid32.c')
    writeFileSync(source, getpid32)
    execFileSync('gcc', ['-static', '-o', join(place.bundle, 'rootfs/getpid32'), source])
    const syscalls = [{ names: calls, action: 'SCMP_ACT_ERRNO' }] as const
    const run = '/getpid32; echo $?'
    expect(see(run, allowing({ architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'], syscalls }))).toBe('0\n')
    expect(place.run(run, allowing({ architectures: ['SCMP_ARCH_X86_64'], syscalls })).stdout).toBe('159\n')
  },
)
