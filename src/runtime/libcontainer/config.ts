import { join, normalize } from 'node:path'
import type { ResctrlGroups } from '../../compile/cgroup/intel-rdt.ts'
import { cgroupOwner } from '../../compile/cgroup/owner.ts'
import { hostID } from '../../compile/id-mapping.ts'
import { parseNumberList } from '../../compile/number-list.ts'
import type { Hooks, Linux, NamespaceType, RuntimeConfig } from '../../oci/runtime-config.ts'
import type { Text } from '../../program/program.ts'
import {
  deferredNumber,
  deferredString,
  type JsonValue,
  jsonText,
  type Pieces,
  plainJson,
  plainJsonOf,
} from '../json-text.ts'
import { labelsOf } from '../state-file.ts'
import { libcontainerResources } from './cgroup.ts'
import { libcontainerDevices } from './devices.ts'
import { idMappings, libcontainerMount, propagationFlags } from './mounts.ts'
import { libcontainerSeccomp } from './seccomp.ts'

/** The version of the runtime-spec that the state of a container follows. */
export const stateVersion = '1.3.0'

/** Facts in state.json that are not from config.json, known when the container is compiled. */
export interface StateFacts {
  /** Absolute path of the bundle. */
  readonly bundle: string
  /**
   * The directories of the container's cgroup, absolute: by controller on cgroup v1 (`memory`, `name=systemd`), and
   * under the key `''` for the unified hierarchy.
   */
  readonly cgroupPaths: Readonly<Record<string, string | Pieces>>
  /** Absolute path of the file that was read instead of config.json of the bundle. */
  readonly configFile?: string | undefined
  readonly resctrl?: ResctrlGroups | undefined
  /** True when the caller's effective uid is not 0. */
  readonly rootless?: boolean | undefined
  /** True when cgroups are used only as far as the caller's permissions allow, and errors are ignored. */
  readonly rootlessCgroups?: boolean | undefined
  readonly systemdCgroup?: boolean | undefined
  readonly noPivot?: boolean | undefined
  readonly noNewKeyring?: boolean | undefined
}

/** Namespaces as runc names them: in `config.namespaces`, and below /proc/PID/ns. */
const namespaces: Readonly<Record<NamespaceType, readonly [type: string, file: string]>> = {
  user: ['NEWUSER', 'user'],
  ipc: ['NEWIPC', 'ipc'],
  uts: ['NEWUTS', 'uts'],
  network: ['NEWNET', 'net'],
  pid: ['NEWPID', 'pid'],
  mount: ['NEWNS', 'mnt'],
  cgroup: ['NEWCGROUP', 'cgroup'],
  time: ['NEWTIME', 'time'],
}

/**
 * state.json of a container as runc writes it, so that runc's commands work on it.
 *
 * Zero values are left out: runc reads an absent field as zero. The text has references to registers: `id`, `pid`,
 * `start_time` (decimal), `created` (RFC 3339, UTC), and for `creator`, which runc does not know, `own_pid` and `boot_ticks`.
 * @see runc 1.1.5 and 1.5 libcontainer/container_linux.go "State", libcontainer/configs/config.go "Config"
 */
export function libcontainerState(config: RuntimeConfig, facts: StateFacts): Pieces {
  return jsonText({
    id: deferredString([{ register: 'id' }]),
    init_process_pid: deferredNumber('pid'),
    init_process_start: deferredNumber('start_time'),
    created: deferredString([{ register: 'created' }]),
    creator: { pid: deferredNumber('own_pid'), ticks: deferredNumber('boot_ticks'), configFile: facts.configFile },
    config: libcontainerConfig(config, facts),
    rootless: (facts.rootless && facts.rootlessCgroups) || undefined,
    cgroup_paths: mapValues(facts.cgroupPaths, deferredText),
    intel_rdt_path: facts.resctrl && deferredText(facts.resctrl.path),
    intel_rdt_mon_path: facts.resctrl?.monitoring && deferredText(facts.resctrl.monitoring),
    namespace_paths: Object.fromEntries(
      Object.values(namespaces).map(([type, file]) => [
        type,
        deferredString(['/proc/', { register: 'pid' }, `/ns/${file}`]),
      ]),
    ),
  })
}

const deferredText = (text: Text): JsonValue => deferredString(typeof text === 'string' ? [text] : text)

function libcontainerConfig(config: RuntimeConfig, facts: StateFacts): JsonValue {
  const { process, linux = {} } = config
  return {
    ...fileSystem(config, facts),
    ...namespacesAndLimits(linux),
    hostname: config.hostname || undefined,
    domainname: config.domainname || undefined,
    cgroups: libcontainerCgroup(config, facts),
    capabilities: plainJsonOf(
      process.capabilities && {
        Bounding: process.capabilities.bounding,
        Effective: process.capabilities.effective,
        Inheritable: process.capabilities.inheritable,
        Permitted: process.capabilities.permitted,
        Ambient: process.capabilities.ambient,
      },
    ),
    umask: process.user.umask,
    oom_score_adj: process.oomScoreAdj,
    no_new_privileges: process.noNewPrivileges || undefined,
    process_label: process.selinuxLabel || undefined,
    scheduler: process.scheduler && { ...process.scheduler },
    io_priority: process.ioPriority && { ...process.ioPriority },
    exec_cpu_affinity: process.execCPUAffinity && {
      Initial: numberSet(process.execCPUAffinity.initial, '/process/execCPUAffinity/initial', 'CPU'),
      Final: numberSet(process.execCPUAffinity.final, '/process/execCPUAffinity/final', 'CPU'),
    },
    Hooks: config.hooks && libcontainerHooks(config.hooks),
    version: stateVersion,
    labels: plainJson(labelsOf(config, facts.bundle)),
    no_new_keyring: facts.noNewKeyring || undefined,
    rootless_euid: facts.rootless || undefined,
    rootless_cgroups: facts.rootlessCgroups || undefined,
  }
}

/** The path of the rootfs for state.json; links in the bundle's path are not followed. */
export const recordedRootfs = ({ root }: RuntimeConfig, bundle: string): string => absoluteIn(bundle, root.path)

const absoluteIn = (bundle: string, path: string): string => (path.startsWith('/') ? path : join(bundle, path))

function fileSystem(config: RuntimeConfig, facts: StateFacts): Record<string, JsonValue | undefined> {
  const { root, mounts = [], linux = {} } = config
  const absolute = (path: string): string => absoluteIn(facts.bundle, path)
  return {
    no_pivot_root: facts.noPivot || undefined,
    rootfs: recordedRootfs(config, facts.bundle),
    readonlyfs: root.readonly || undefined,
    rootPropagation: propagationFlags(linux.rootfsPropagation) || undefined,
    mounts: plainJson(mounts.map((mount) => libcontainerMount(mount, absolute))),
    devices: plainJson(libcontainerDevices(config, (id, kind) => hostID(linux, id, kind))),
    mount_label: linux.mountLabel || undefined,
    mask_paths: plainJsonOf(linux.maskedPaths),
    readonly_paths: plainJsonOf(linux.readonlyPaths),
  }
}

function namespacesAndLimits(linux: Linux): Record<string, JsonValue | undefined> {
  const hasNewNetwork = linux.namespaces?.some(({ type, path }) => type === 'network' && !path)
  const hasUser = hasNamespace(linux, 'user')
  return {
    namespaces: plainJson((linux.namespaces ?? []).map(({ type, path = '' }) => ({ type: namespaces[type][0], path }))),
    uid_mappings: hasUser && linux.uidMappings ? idMappings(linux.uidMappings) : undefined,
    gid_mappings: hasUser && linux.gidMappings ? idMappings(linux.gidMappings) : undefined,
    networks: hasNewNetwork ? [{ type: 'loopback' }] : undefined,
    netDevices: linux.netDevices && mapValues(linux.netDevices, ({ name }) => ({ name })),
    sysctl: plainJsonOf(linux.sysctl),
    seccomp: linux.seccomp && libcontainerSeccomp(linux.seccomp),
    time_offsets: linux.timeOffsets && mapValues(linux.timeOffsets, (offset) => ({ ...offset })),
    personality: linux.personality && { domain: linux.personality.domain === 'LINUX32' ? 8 : 0 },
    intel_rdt: linux.intelRdt && {
      closID: linux.intelRdt.closID,
      schemata: linux.intelRdt.schemata,
      l3_cache_schema: linux.intelRdt.l3CacheSchema,
      memBwSchema: linux.intelRdt.memBwSchema,
      enableMonitoring: linux.intelRdt.enableMonitoring,
    },
    memory_policy: linux.memoryPolicy && {
      mode: memoryPolicyModes.indexOf(linux.memoryPolicy.mode || 'MPOL_DEFAULT'),
      flags: (linux.memoryPolicy.flags ?? []).reduce((all, flag) => all | (memoryPolicyFlags[flag] ?? 0), 0),
      nodes: numberSet(linux.memoryPolicy.nodes, '/linux/memoryPolicy/nodes', 'memory policy node'),
    },
  }
}

/** Memory policy modes, indexed by number. @see linux/mempolicy.h */
const memoryPolicyModes: readonly string[] = [
  'MPOL_DEFAULT',
  'MPOL_PREFERRED',
  'MPOL_BIND',
  'MPOL_INTERLEAVE',
  'MPOL_LOCAL',
  'MPOL_PREFERRED_MANY',
  'MPOL_WEIGHTED_INTERLEAVE',
]

const memoryPolicyFlags: Readonly<Record<string, number>> = {
  MPOL_F_STATIC_NODES: 1 << 15,
  MPOL_F_RELATIVE_NODES: 1 << 14,
  MPOL_F_NUMA_BALANCING: 1 << 13,
}

/** The member `cgroups`, which must be present, with its devices: runc uses it unchecked. */
function libcontainerCgroup(config: RuntimeConfig, facts: StateFacts): JsonValue {
  const path = config.linux?.cgroupsPath ?? ''
  const [parent, scopePrefix, name] = facts.systemdCgroup && path !== '' ? path.split(':') : []
  return {
    name: name ?? (path === '' ? deferredString([{ register: 'id' }]) : undefined),
    parent,
    path: facts.systemdCgroup || path === '' ? undefined : normalize(path).replace(/(.)\/$/, '$1'),
    scope_prefix: scopePrefix ?? (facts.systemdCgroup ? 'runc' : undefined),
    Systemd: facts.systemdCgroup || undefined,
    Rootless: facts.rootlessCgroups || undefined,
    owner_uid: cgroupOwner(config),
    ...libcontainerResources(config),
  }
}

const hasNamespace = (linux: Linux, wanted: NamespaceType): boolean =>
  linux.namespaces?.some(({ type }) => type === wanted) ?? false

/** Hooks by their spec names; the timeout is in nanoseconds. */
function libcontainerHooks(hooks: Hooks): JsonValue {
  return mapValues({ ...hooks }, (list) =>
    list?.map(({ path, args, env, timeout }) => ({
      path,
      args,
      env,
      timeout: timeout === undefined ? undefined : BigInt(timeout) * 1_000_000_000n,
    })),
  )
}

/** The numbers of a list such as `0-2,5` as a bit set in 64-bit words, least significant first. */
function numberSet(list: string | undefined, pointer: string, what: string): JsonValue | undefined {
  if (!list) return undefined
  const numbers = parseNumberList(list, pointer, what)
  return Array.from({ length: (Math.max(...numbers) >> 6) + 1 }, (_, word) =>
    numbers.filter((number) => number >> 6 === word).reduce((bits, number) => bits | (1n << BigInt(number & 63)), 0n),
  )
}

const mapValues = <T>(
  values: Readonly<Record<string, T>>,
  convert: (value: T) => JsonValue | undefined,
): Record<string, JsonValue | undefined> =>
  Object.fromEntries(Object.entries(values).map(([key, value]) => [key, convert(value)]))
