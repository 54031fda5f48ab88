// A restriction of config.json is applied, refused with its pointer, or ignored with a warning: never dropped silently.
import { expect, test } from 'vitest'
import type { Capabilities, Linux, Mount, Process } from '../../src/oci/runtime-config.ts'
import { mountAttributes } from '../../src/program/flags.ts'
import type { Step } from '../../src/program/program.ts'
import { type CompileTestInput, compileWith, hosts, stepsOf } from './hosts.ts'

const stepsNamed = (name: string, input: CompileTestInput): readonly Step[] =>
  stepsOf(compileWith(input)).filter(({ op }) => op === name)
const refusal = (code: string, pointer: string): unknown => expect.objectContaining({ code, pointer })
const invalid = (pointer: string): unknown => refusal('ERR_CONFIG_INVALID', pointer)

/** The warnings of a compilation. */
function warningsOf(input: CompileTestInput): readonly string[] {
  const warnings: string[] = []
  compileWith({ ...input, options: { ...input.options, warn: (message) => warnings.push(message) } })
  return warnings
}

const withCapabilities = (capabilities: Capabilities): CompileTestInput => ({ process: { capabilities } })

test('an effective capability that is not permitted is refused', () => {
  const names = ['CAP_CHOWN', 'CAP_KILL']
  expect(() => compileWith(withCapabilities({ bounding: names, permitted: ['CAP_KILL'], effective: names }))).toThrow(
    invalid('/process/capabilities/effective'),
  )
  expect(() => compileWith(withCapabilities({ permitted: names, effective: ['CAP_KILL'] }))).not.toThrow()
})

test('an inheritable capability that the caller does not have causes a warning', () => {
  const facts = { ...hosts.hybrid, capabilities: 1n }
  const input = { ...withCapabilities({ inheritable: ['CAP_CHOWN', 'CAP_KILL'] }), facts }
  expect(warningsOf(input)).toEqual([expect.stringContaining('CAP_KILL')])
})

test('additional groups are refused if the process would keep those of the caller', () => {
  const own = [{ containerID: 0, hostID: 1000, size: 1 }]
  const linux: Linux = { namespaces: [{ type: 'mount' }, { type: 'user' }], uidMappings: own, gidMappings: own }
  const withGroups = (additionalGids: readonly number[]): CompileTestInput => ({
    process: { user: { uid: 0, gid: 0, additionalGids } },
    linux,
    facts: hosts.rootlessV2,
  })
  expect(() => compileWith(withGroups([5]))).toThrow(refusal('ERR_CONFIG_UNSUPPORTED', '/process/user/additionalGids'))
  expect(stepsNamed('setgroups', withGroups([]))).toEqual([])
})

test('the later one of contradicting recursive options holds', () => {
  const attributes = (...options: readonly string[]): readonly unknown[] => {
    const mounts = [{ destination: '/data', source: '/data', options: ['rbind', ...options] }]
    const steps = stepsNamed('mount_setattr', { config: { mounts } }).filter(({ from }) => from === '/mounts/0/options')
    return steps.map(({ operands: { set, clear } }) => [set, clear])
  }
  const { RDONLY, NODEV, ATIME, NOATIME, STRICTATIME } = mountAttributes
  expect(attributes('rro', 'rrw')).toEqual([[0, RDONLY]])
  expect(attributes('rrw', 'rro')).toEqual([[RDONLY, 0]])
  expect(attributes('rro', 'rdev', 'rnodev', 'rrw', 'rro')).toEqual([[RDONLY | NODEV, 0]])
  expect(attributes('rnoatime', 'rstrictatime')).toEqual([[STRICTATIME, ATIME]])
  expect(attributes('rstrictatime', 'rnoatime', 'rro')).toEqual([[RDONLY | NOATIME, ATIME]])
  expect(attributes('rnoatime', 'ratime')).toEqual([[0, ATIME]])
})

const withMount = (mount: Partial<Mount>): CompileTestInput => ({
  config: { mounts: [{ destination: '/data', ...mount }] },
})

test('a tmpfs with tmpcopyup gets the same options as one without', () => {
  const options = ['tmpcopyup', 'sync', 'dirsync', 'lazytime', 'mand', 'size=1m', 'noexec']
  const [step] = stepsNamed('new_mount', withMount({ type: 'tmpfs', options })).filter(
    ({ from }) => from === '/mounts/0',
  )
  expect(step?.operands).toMatchObject({
    options: ['source', 'tmpfs', 'size', '1m', 'sync', '', 'dirsync', '', 'mand', '', 'lazytime', ''],
    attributes: mountAttributes.NOEXEC,
  })
  for (const mount of [
    { type: 'tmpfs', options: ['tmpcopyup', 'remount'] },
    { type: 'ramfs', options: ['tmpcopyup'] },
    { source: '/data', options: ['bind', 'tmpcopyup'] },
  ]) {
    expect(() => compileWith(withMount(mount))).toThrow(invalid('/mounts/0/options'))
  }
})

test('without a mount namespace the root is read-only nonetheless, and so is a tmpfs', () => {
  const input: CompileTestInput = {
    config: {
      root: { path: 'rootfs', readonly: true },
      mounts: [{ destination: '/data', type: 'tmpfs', options: ['ro'] }],
    },
    linux: { namespaces: [{ type: 'pid' }] },
  }
  const made = stepsNamed('mount_setattr', input).filter(({ operands }) => operands.set === mountAttributes.RDONLY)
  expect(made.map(({ from }) => from)).toEqual(['/mounts/0', '/root/readonly'])
})

test('devices in a /dev that is a bind mount are left out with a warning; those elsewhere are made', () => {
  const input: CompileTestInput = {
    config: { mounts: [{ destination: '/dev', source: '/dev', options: ['rbind'] }] },
    linux: {
      devices: [
        { path: '/dev/mine', type: 'c', major: 1, minor: 3 },
        { path: '/data/mine', type: 'c', major: 1, minor: 3 },
      ],
    },
  }
  expect(warningsOf(input)).toEqual([expect.stringMatching(/^\/linux\/devices\/0.*"\/dev\/mine"/)])
  expect(stepsNamed('mknod', input).map(({ from }) => from)).toEqual(['/linux/devices/1'])
})

const withScheduler = (scheduler: NonNullable<Process['scheduler']>): CompileTestInput => ({ process: { scheduler } })

test.each([
  [{ policy: 'SCHED_OTHER', nice: 20 }, 'nice'],
  [{ policy: 'SCHED_BATCH', nice: -21 }, 'nice'],
  [{ policy: 'SCHED_OTHER', priority: 5 }, 'priority'],
  [{ policy: 'SCHED_FIFO', priority: 5, runtime: 1 }, 'runtime'],
  [{ policy: 'SCHED_OTHER', deadline: 1 }, 'deadline'],
  [{ policy: 'SCHED_IDLE', period: 1 }, 'period'],
] as const)('%j, a part of which the kernel would ignore, is refused', (scheduler, field) => {
  expect(() => compileWith(withScheduler(scheduler))).toThrow(invalid(`/process/scheduler/${field}`))
})

test('personality flags, none of which are defined, cause a warning', () => {
  const personality = { domain: 'LINUX', flags: ['ADDR_NO_RANDOMIZE'] } as const
  expect(warningsOf({ linux: { personality } })).toEqual([expect.stringContaining('/linux/personality/flags')])
})

test('a denied system call that does not exist causes a warning, an allowed one does not', () => {
  const warnings = (defaultAction: 'SCMP_ACT_ALLOW' | 'SCMP_ACT_ERRNO', action: 'SCMP_ACT_ALLOW' | 'SCMP_ACT_ERRNO') =>
    warningsOf({ linux: { seccomp: { defaultAction, syscalls: [{ names: ['raed'], action }] } } })
  expect(warnings('SCMP_ACT_ALLOW', 'SCMP_ACT_ERRNO')).toEqual([expect.stringContaining('"raed"')])
  expect(warnings('SCMP_ACT_ERRNO', 'SCMP_ACT_ALLOW')).toEqual([])
})

test('useHierarchy is written on kernels that have the file', () => {
  const input = { linux: { resources: { memory: { useHierarchy: true, limit: 5 } } }, facts: hosts.v1 }
  const [first] = stepsNamed('write_file', input).filter(({ from }) => from.startsWith('/linux/resources/memory'))
  expect(first).toMatchObject({
    operands: { content: '1' },
    ok: ['ENOENT'],
    from: '/linux/resources/memory/useHierarchy',
  })
})

test("a sysctl is written in a joined namespace only if that is not the host's", () => {
  const path = '/run/netns/x'
  const checks = (namespaces: Linux['namespaces']): readonly Step[] =>
    stepsNamed('expect_other', { linux: { namespaces, sysctl: { 'net.ipv4.ip_forward': '1' } } })
  expect(checks([{ type: 'network' }])).toEqual([])
  expect(checks([{ type: 'network', path }])).toMatchObject([
    {
      operands: { slot: 'ns_network', path: '/proc/self/ns/net' },
      from: '/linux/sysctl/net.ipv4.ip_forward',
    },
  ])
})
