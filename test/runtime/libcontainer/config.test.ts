import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect } from 'vitest'
import { defaultConfig } from '../../../src/bundle/default-config.ts'
import { parseRuntimeConfig } from '../../../src/oci/runtime-config.ts'
import { libcontainerState } from '../../../src/runtime/libcontainer/config.ts'
import { requires } from '../../requirements.ts'

const { test } = requires('root', 'runc', 'busybox')

const directory = mkdtempSync(join(tmpdir(), 'libcontainer-'))
const bundle = join(directory, 'bundle')
const root = join(directory, 'root')

beforeAll(() => {
  chmodSync(directory, 0o755)
  mkdirSync(join(bundle, 'rootfs/bin'), { recursive: true })
  cpSync('/bin/busybox', join(bundle, 'rootfs/bin/busybox'))
})

afterAll(() => rmSync(directory, { recursive: true }))

type Json = Readonly<Record<string, unknown>>

/** The config.json that `runc spec` writes, without a terminal, and with these members of it replaced. */
function config({ process, linux, mounts, ...top }: Record<string, unknown> = {}): Json {
  const base = defaultConfig({ rootless: false, cgroupNamespace: false, uid: 0, gid: 0 })
  const merged = {
    ...base,
    ...top,
    process: { ...base.process, terminal: false, args: ['/bin/busybox', 'true'], ...(process as Json) },
    linux: { ...base.linux, ...(linux as Json) },
    mounts: [...(base.mounts ?? []), ...((mounts as Json[]) ?? [])],
  }
  return JSON.parse(JSON.stringify(merged))
}

/** The state.json that runc writes for a config.json. */
function stateByRunc(config: Json): Json {
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(config))
  // Not a pipe: the created container keeps its standard error open.
  const runc = (...args: string[]) => execFileSync('runc', ['--root', root, ...args], { stdio: 'ignore' })
  runc('create', '-b', bundle, 'state-text')
  try {
    return JSON.parse(readFileSync(join(root, 'state-text/state.json'), 'utf8'))
  } finally {
    runc('delete', '-f', 'state-text')
  }
}

/** The state.json of this tool for it, with the registers set to runc's values. */
function stateByUs(config: Json, theirs: Json): Json {
  const registers: Json = {
    id: theirs.id,
    pid: theirs.init_process_pid,
    start_time: theirs.init_process_start,
    created: theirs.created,
    own_pid: 0,
    boot_ticks: 0,
  }
  const cgroupPaths = theirs.cgroup_paths as Record<string, string>
  const pieces = libcontainerState(parseRuntimeConfig(JSON.stringify(config)), { bundle, cgroupPaths })
  return JSON.parse(pieces.map((piece) => (typeof piece === 'string' ? piece : registers[piece.register])).join(''))
}

/** A copy without members that Go reads as zero anyway. */
function nonZero(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.map((item) => nonZero(item) ?? null)
  if (typeof value !== 'object' || value === null) return value || undefined
  const members = Object.entries(value).map(([key, member]) => [key, nonZero(member)] as const)
  const rest = members.filter(([, member]) => member !== undefined)
  return rest.length === 0 ? undefined : Object.fromEntries(rest)
}

/**
 * A copy without members that may differ: the spec's version, members that runc 1.1.5 does not have yet, and those that
 * only runc can know.
 */
function comparable(state: Json): unknown {
  const copy = nonZero(state) as Record<string, Record<string, Record<string, unknown>>>
  delete copy.external_descriptors
  delete copy.namespace_paths?.NEWTIME
  delete copy.config?.version
  delete copy.config?.cgroups?.cpu_weight
  for (const mount of Object.values(copy.config?.mounts ?? {})) delete (mount as Record<string, unknown>).cleared_flags
  return { ...copy, config: { ...copy.config, labels: Object.values(copy.config?.labels ?? {}).sort() } }
}

const cases: Record<string, Json> = {
  'the default config': config(),
  annotations: config({ annotations: { 'com.example.a': 'x=y "z"', b: '' } }),
  'a named cgroup': config({ linux: { cgroupsPath: '/libcontainer//test/' } }),
  'ids, umask and OOM score': config({
    process: { user: { uid: 5, gid: 6, umask: 0o27, additionalGids: [7] }, oomScoreAdj: 50 },
  }),
  'every capability set': config({
    process: {
      noNewPrivileges: false,
      capabilities: Object.fromEntries(
        ['bounding', 'effective', 'permitted', 'inheritable', 'ambient'].map((set) => [set, ['CAP_CHOWN']]),
      ),
    },
  }),
  'mount options': config({
    root: { path: join(bundle, 'rootfs'), readonly: false },
    mounts: [
      { destination: '/a', type: 'none', source: 'rootfs/bin', options: ['rbind', 'ro', 'nosuid', 'rprivate'] },
      { destination: '/b', type: 'tmpfs', source: 'tmpfs', options: ['mode=700', 'noatime', 'tmpcopyup', 'sync'] },
      { destination: '/c', source: '/usr', options: ['bind', 'rro', 'rnosuid', 'rnoatime', 'private'] },
    ],
    linux: { rootfsPropagation: 'rshared' },
  }),
  devices: config({
    linux: {
      devices: [
        { path: '/dev/full', type: 'c', major: 1, minor: 7, fileMode: 0o600, uid: 1, gid: 2 },
        { path: '/dev/fuse', type: 'u', major: 10, minor: 229 },
        { path: '/dev/pipe', type: 'p', fileMode: 0o644 },
      ],
      resources: {
        devices: [
          { allow: false, access: 'rwm' },
          { allow: true, type: 'c', major: 10, minor: 229, access: 'rw' },
        ],
      },
    },
  }),
  limits: config({
    linux: {
      resources: {
        memory: { limit: 64 << 20, reservation: 32 << 20 },
        cpu: { shares: 512, quota: 50000, period: 100000, cpus: '0', mems: '0' },
        pids: { limit: 100 },
      },
    },
  }),
  'namespaces that are shared, joined and new': config({
    hostname: '',
    linux: { namespaces: [{ type: 'mount' }, { type: 'network', path: '/proc/self/ns/net' }, { type: 'cgroup' }] },
  }),
  'a user namespace': config({
    linux: {
      namespaces: ['user', 'pid', 'network', 'ipc', 'uts', 'mount'].map((type) => ({ type })),
      uidMappings: [{ containerID: 0, hostID: 100000, size: 65536 }],
      gidMappings: [{ containerID: 0, hostID: 200000, size: 65536 }],
    },
  }),
  'sysctl, no masked paths': config({ linux: { sysctl: { 'net.ipv4.ip_forward': '1' }, maskedPaths: [] } }),
  hooks: config({
    hooks: {
      prestart: [{ path: '/bin/true', args: ['true', '"'], env: ['A=1'], timeout: 5 }],
      poststop: [{ path: '/bin/true' }],
    },
  }),
  seccomp: config({
    linux: {
      seccomp: {
        defaultAction: 'SCMP_ACT_ALLOW',
        architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'],
        syscalls: [
          { names: ['sethostname', 'setdomainname'], action: 'SCMP_ACT_ERRNO', errnoRet: 5 },
          {
            names: ['personality'],
            action: 'SCMP_ACT_KILL_PROCESS',
            args: [{ index: 0, value: 255, valueTwo: 8, op: 'SCMP_CMP_MASKED_EQ' }],
          },
        ],
      },
    },
  }),
}

test.each(Object.entries(cases))("state.json equals runc's: %s", (_, config) => {
  const theirs = stateByRunc(config)
  expect(comparable(stateByUs(config, theirs))).toEqual(comparable(theirs))
})

test('registers stand for the id and the process, the rest is constant', () => {
  const pieces = libcontainerState(parseRuntimeConfig(JSON.stringify(config())), {
    bundle,
    cgroupPaths: { '': ['/sys/fs/cgroup/', { register: 'id' }] },
  })
  const registers = pieces.flatMap((piece) => (typeof piece === 'string' ? [] : [piece.register]))
  const known = ['id', 'pid', 'start_time', 'created', 'own_pid', 'boot_ticks']
  expect(registers).toEqual([...known, 'id', 'id', ...Array(8).fill('pid')])
})

test('a number in a list that exceeds every machine is refused, however large', () => {
  const from = (linux: Json) => () =>
    libcontainerState(parseRuntimeConfig(JSON.stringify(config({ linux }))), { bundle, cgroupPaths: {} })
  expect(from({ memoryPolicy: { mode: 'MPOL_BIND', nodes: '0-9876543210' } })).toThrow('invalid memory policy node')
  expect(from({ memoryPolicy: { mode: 'MPOL_BIND', nodes: '0-1023' } })).not.toThrow()
})
