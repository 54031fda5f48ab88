import { expect, test } from 'vitest'
import type { CgroupHierarchy, HostFacts } from '../../../src/compile/facts.ts'
import type { Linux, Resources } from '../../../src/oci/runtime-config.ts'
import type { Step } from '../../../src/program/program.ts'
import { compileWith, hosts } from '../hosts.ts'

const { v1, hybrid, v2, rootlessV2 } = hosts

/** A host with these hierarchies; by default the kernel's v1 controllers are those that are mounted. */
function withHierarchies(
  facts: HostFacts,
  change: (hierarchy: CgroupHierarchy) => CgroupHierarchy | undefined,
  v1Controllers?: readonly string[],
): HostFacts {
  const hierarchies = facts.cgroups.hierarchies.flatMap((hierarchy) => change(hierarchy) ?? [])
  const mounted = hierarchies.flatMap(({ controllers }) => controllers)
  return { ...facts, cgroups: { ...facts.cgroups, hierarchies, v1Controllers: v1Controllers ?? mounted } }
}

const without = (facts: HostFacts, controller: string, ...rest: readonly (readonly string[])[]): HostFacts =>
  withHierarchies(facts, (each) => (each.controllers.includes(controller) ? undefined : each), ...rest)
const readOnly = (facts: HostFacts, ...controllers: readonly string[]): HostFacts =>
  withHierarchies(facts, (each) => ({
    ...each,
    isReadOnly: controllers.length === 0 || controllers.some((name) => each.controllers.includes(name)),
  }))

const program = (resources: Resources, facts: HostFacts, linux: Partial<Linux> = {}): readonly Step[] =>
  compileWith({ linux: { resources, ...linux }, facts }).host
/** The files of limits that are written, as absolute paths with the ID left out. */
const files = (resources: Resources, facts: HostFacts): readonly string[] =>
  program(resources, facts)
    .filter(({ op, from }) => op === 'write_file' && from.startsWith('/linux/resources/'))
    .map(({ operands: { path } }) =>
      [path]
        .flat()
        .map((piece) => (typeof piece === 'string' ? piece : 'ID'))
        .join(''),
    )
const refusal = (field: string, message = ''): unknown =>
  expect.objectContaining({
    code: 'ERR_CONFIG_UNSUPPORTED',
    pointer: `/linux/${field}`,
    message: expect.stringContaining(message),
  })

const denyAll = [{ allow: false, access: 'rwm' }]
const howDevicesAreDenied = (facts: HostFacts): readonly string[] => [
  ...new Set(
    program({ devices: denyAll }, facts)
      .filter(({ from }) => from.startsWith('/linux/resources/devices'))
      .map(({ op }) => op),
  ),
]

test('device rules are files of v1 where its controller is mounted, else an eBPF filter', () => {
  expect(howDevicesAreDenied(v1)).toEqual(['write_lines'])
  expect(howDevicesAreDenied(hybrid)).toEqual(['write_lines'])
  expect(howDevicesAreDenied(v2)).toEqual(['open', 'device_filter'])
  expect(howDevicesAreDenied(without(hybrid, 'devices'))).toEqual(['open', 'device_filter'])
  expect(howDevicesAreDenied(readOnly(hybrid, 'devices'))).toEqual(['open', 'device_filter'])
})

test('device rules are refused if they cannot be enforced; a container without rules runs', () => {
  for (const facts of [without(v1, 'devices'), readOnly(v1, 'devices'), readOnly(v2), readOnly(hybrid)]) {
    expect(() => program({ devices: denyAll }, facts)).toThrow(refusal('resources/devices', 'cannot be enforced'))
    expect(() => program({ devices: [{ allow: true, type: 'c', access: 'r' }] }, facts)).toThrow(
      refusal('resources/devices'),
    )
    expect(program({}, facts).length).toBeGreaterThan(0)
    expect(program({ devices: [...denyAll, { allow: true, access: 'rwm' }] }, facts).length).toBeGreaterThan(0)
  }
})

test('device rules cause a note if the caller is not root of the host', () => {
  for (const facts of [rootlessV2, { ...v2, inUserNamespace: true }]) {
    const notes: string[] = []
    const note = (message: string): number => notes.push(message)
    compileWith({ linux: { resources: { devices: denyAll } }, facts, options: { note } })
    expect(notes).toEqual([expect.stringContaining('/linux/resources/devices')])
    compileWith({ facts, options: { note } })
    compileWith({ linux: { resources: { devices: [{ allow: true, access: 'rwm' }] } }, facts, options: { note } })
    expect(notes).toHaveLength(1)
  }
})

test('a limit is written to v1 if its controller is mounted there, else to the unified hierarchy unless v1 has the controller', () => {
  const limit = { memory: { limit: 4096 } }
  expect(files(limit, hybrid)).toEqual(['/sys/fs/cgroup/memory/user.slice/ID/memory.limit_in_bytes'])
  const unbound = without(hybrid, 'memory')
  expect(files(limit, unbound)).toEqual(['/sys/fs/cgroup/unified/ID/memory.max'])
  expect(() => files(limit, without(hybrid, 'memory', ['memory']))).toThrow(refusal('resources/memory/limit'))
  expect(() => files(limit, without(v1, 'memory'))).toThrow(refusal('resources/memory/limit', 'on this host'))
})

test('on a hybrid host each limit is written for the cgroup version of its controller', () => {
  const resources = { memory: { limit: -1 }, pids: { limit: 3 }, blockIO: { weight: 500 }, cpu: { shares: 1024 } }
  expect(files(resources, without(hybrid, 'memory')).map((file) => file.split('/').at(-1))).toEqual([
    'memory.swap.max',
    'memory.max',
    'cpu.shares',
    'pids.max',
    'io.weight',
  ])
  expect(() => files({ memory: { swappiness: 5 } }, without(hybrid, 'memory'))).toThrow(
    refusal('resources/memory/swappiness'),
  )
})

test("for a limit in the unified hierarchy the cgroup is beside the caller's, and controllers are enabled", () => {
  const unified = (own: string): HostFacts =>
    withHierarchies(without(hybrid, 'memory'), (each) => (each.isUnified ? { ...each, own } : each))
  const facts = unified('/a/b')
  const enabled = (resources: Resources): readonly unknown[] =>
    program(resources, facts)
      .filter(({ op }) => op === 'enable_controllers')
      .map(({ operands }) => operands.path)
  expect(files({ memory: { limit: 4096 } }, facts)).toEqual(['/sys/fs/cgroup/unified/a/ID/memory.max'])
  expect(enabled({ memory: { limit: 4096 } })).toEqual(['/sys/fs/cgroup/unified', '/sys/fs/cgroup/unified/a'])
  expect(enabled({ pids: { limit: 5 } })).toEqual([])
})

test('a limit whose controller is in an unmounted hierarchy of v1 is refused, with its field', () => {
  const facts = { ...v2, cgroups: { ...v2.cgroups, v1Controllers: ['memory', 'blkio', 'devices'] } }
  expect(() => files({ memory: { limit: 4096 } }, facts)).toThrow(
    refusal('resources/memory/limit', 'one of cgroup v1 has taken it'),
  )
  expect(() => files({ blockIO: { weight: 500 } }, facts)).toThrow(refusal('resources/blockIO/weight'))
  expect(() => files({ unified: { 'memory.high': '5' } }, facts)).toThrow(refusal('resources/unified/memory.high'))
  expect(files({ pids: { limit: 5 }, unified: { 'cgroup.max.depth': '5' } }, facts)).toHaveLength(2)
  expect(howDevicesAreDenied(facts)).toEqual(['open', 'device_filter'])
})

test('a hierarchy that is mounted read-only is skipped, and refused if it is needed', () => {
  const facts = readOnly(hybrid, 'pids', 'name=systemd')
  const made = (linux: Partial<Linux>): string => JSON.stringify(program({}, facts, linux))
  for (const linux of [{}, { cgroupsPath: '/a' }]) {
    expect(made(linux)).toContain('/sys/fs/cgroup/memory')
    expect(made(linux)).not.toMatch(/cgroup\/(pids|systemd)/)
  }
  expect(() => files({ pids: { limit: 5 } }, facts)).toThrow(
    refusal('resources/pids/limit', 'mounted read-only at "/sys/fs/cgroup/pids"'),
  )
})

test("with only read-only hierarchies a container runs in the caller's cgroups, and a cgroupsPath is refused", () => {
  const steps = program({}, readOnly(v2))
  expect(steps.filter(({ op }) => op.startsWith('cgroup_'))).toEqual([])
  expect(() => program({}, readOnly(v2), { cgroupsPath: '/a' })).toThrow(refusal('cgroupsPath', 'mounted read-only'))
  expect(() => program({}, { ...v1, euid: 1000 }, { cgroupsPath: '/a' })).toThrow(
    refusal('cgroupsPath', 'permission denied'),
  )
})
