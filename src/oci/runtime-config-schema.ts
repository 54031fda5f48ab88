import * as z from 'zod/mini'
import type { Integer } from './json.ts'
import type { ConfigProblem, Process, Resources, RuntimeConfig, Seccomp } from './runtime-config.ts'
import { foldNames, member, problemsOf, toPointer } from './schema.ts'

/** Numbers of the spec's types, whose bounds numbers hold exactly. */
function int(min: number, max: number): z.ZodMiniType<number> {
  const isInRange = (value: unknown) => Number.isInteger(value) && Number(value) >= min && Number(value) <= max
  return z.custom<number>(isInRange, `must be an integer from ${min} to ${max}`)
}

function int64(min: bigint, max: bigint): z.ZodMiniType<Integer> {
  const isInRange = (value: unknown) =>
    (typeof value === 'bigint' || (typeof value === 'number' && Number.isInteger(value))) &&
    value >= min &&
    value <= max
  return z.custom<Integer>(isInRange, `must be an integer from ${min} to ${max}`)
}

const u16 = int(0, 2 ** 16 - 1)
const u32 = int(0, 2 ** 32 - 1)
const i32 = int(-(2 ** 31), 2 ** 31 - 1)
const u64 = int64(0n, 2n ** 64n - 1n)
const i64 = int64(-(2n ** 63n), 2n ** 63n - 1n)
const deviceNumber = int(-1, 2 ** 32 - 1)
// What mknod(2) takes: the kernel cuts others down to a number of another device (linux/kdev_t.h).
const nodeMajor = int(0, 2 ** 12 - 1)
const nodeMinor = int(0, 2 ** 20 - 1)
// 2^32-1 is (uid_t)-1, which chown and setresuid read as "leave alone".
const id = int(0, 2 ** 32 - 2)

/** An object that most config.json do without: making its schema takes longer than checking a value. */
const rare = <T extends z.ZodMiniType>(schema: () => T): z.ZodMiniOptional<z.ZodMiniLazy<T>> =>
  z.optional(z.lazy(schema))

const boolean = z.optional(z.boolean())
const text = z.optional(z.string())
/** Strings that become arguments of system calls, which end at a NUL. */
const cString = z.string().check(z.refine((value) => !value.includes('\0'), 'must not contain a NUL character'))
const cStrings = z.optional(z.array(cString))
const filled = cString.check(z.minLength(1, 'must not be empty'))
const absolute = filled.check(z.refine((path) => path === '' || path.startsWith('/'), 'must be an absolute path'))
const strings = z.optional(z.array(z.string()))
const stringMap = z.optional(z.record(z.string(), z.string()))
const envVariable = cString.check(z.refine((entry) => entry.indexOf('=') > 0, 'must be NAME=value'))
const env = z.optional(z.array(envVariable))

const idMappings = z.optional(z.array(z.object({ containerID: u32, hostID: u32, size: u32 })))

const process: z.ZodMiniType<Process> = z.object({
  terminal: boolean,
  consoleSize: rare(() => z.object({ height: u16, width: u16 })),
  user: z._default(
    z.object({
      uid: z._default(id, 0),
      gid: z._default(id, 0),
      umask: z.optional(u32),
      additionalGids: z.optional(z.array(id)),
    }),
    { uid: 0, gid: 0 },
  ),
  args: z.array(cString).check(z.minLength(1, 'must have at least one entry, the program to run')),
  env,
  cwd: absolute,
  capabilities: z.optional(
    z.object({
      bounding: strings,
      effective: strings,
      inheritable: strings,
      permitted: strings,
      ambient: strings,
    }),
  ),
  rlimits: z.optional(z.array(z.object({ type: z.string(), hard: u64, soft: u64 }))),
  noNewPrivileges: boolean,
  apparmorProfile: z.optional(cString),
  oomScoreAdj: z.optional(int(-1000, 1000)),
  scheduler: rare(() =>
    z.object({
      policy: z.string(),
      nice: z.optional(i32),
      priority: z.optional(i32),
      flags: strings,
      runtime: z.optional(u64),
      deadline: z.optional(u64),
      period: z.optional(u64),
    }),
  ),
  selinuxLabel: z.optional(cString),
  ioPriority: rare(() =>
    z.object({
      class: z.enum(['IOPRIO_CLASS_RT', 'IOPRIO_CLASS_BE', 'IOPRIO_CLASS_IDLE']),
      priority: z._default(int(0, 7), 0),
    }),
  ),
  execCPUAffinity: rare(() => z.object({ initial: text, final: text })),
})

const mount = z.object({
  destination: filled,
  type: z.optional(cString),
  source: z.optional(cString),
  options: cStrings,
  uidMappings: idMappings,
  gidMappings: idMappings,
})

const hookLists = () => {
  const hook = z.object({
    path: absolute,
    args: cStrings,
    env,
    timeout: z.optional(i32.check(z.refine((seconds) => seconds > 0, 'must be greater than 0 seconds'))),
  })
  const hooks = z.optional(z.array(hook))
  return z.object({
    prestart: hooks,
    createRuntime: hooks,
    createContainer: hooks,
    startContainer: hooks,
    poststart: hooks,
    poststop: hooks,
  })
}

const deviceRule = z.object({
  allow: z._default(z.boolean(), false),
  type: z.optional(z.enum(['', 'a', 'b', 'c', 'p'])),
  major: z.optional(deviceNumber),
  minor: z.optional(deviceNumber),
  access: text,
})

const weightDevice = () =>
  z.object({
    major: deviceNumber,
    minor: deviceNumber,
    weight: z.optional(u16),
    leafWeight: z.optional(u16),
  })
const throttle = () => z.optional(z.array(z.object({ major: deviceNumber, minor: deviceNumber, rate: u64 })))

/** `linux.resources`, also the document that `update --resources` takes. */
export const resources: z.ZodMiniType<Resources> = z.object({
  devices: z.optional(z.array(deviceRule)),
  memory: rare(() =>
    z.object({
      limit: z.optional(i64),
      reservation: z.optional(i64),
      swap: z.optional(i64),
      kernel: z.optional(i64),
      kernelTCP: z.optional(i64),
      swappiness: z.optional(u64),
      disableOOMKiller: boolean,
      useHierarchy: boolean,
      checkBeforeUpdate: boolean,
    }),
  ),
  cpu: rare(() =>
    z.object({
      shares: z.optional(u64),
      quota: z.optional(i64),
      burst: z.optional(u64),
      period: z.optional(u64),
      realtimeRuntime: z.optional(i64),
      realtimePeriod: z.optional(u64),
      cpus: text,
      mems: text,
      idle: z.optional(i64),
    }),
  ),
  pids: rare(() => z.object({ limit: z.optional(i64) })),
  blockIO: rare(() =>
    z.object({
      weight: z.optional(u16),
      leafWeight: z.optional(u16),
      weightDevice: z.optional(z.array(weightDevice())),
      throttleReadBpsDevice: throttle(),
      throttleWriteBpsDevice: throttle(),
      throttleReadIOPSDevice: throttle(),
      throttleWriteIOPSDevice: throttle(),
    }),
  ),
  hugepageLimits: rare(() =>
    z.array(
      z.object({
        pageSize: z.string().check(z.regex(/^[1-9]\d*[KMG]B$/, 'must be a size such as 2MB or 1GB')),
        limit: u64,
      }),
    ),
  ),
  network: rare(() =>
    z.object({
      classID: z.optional(u32),
      priorities: z.optional(z.array(z.object({ name: z.string(), priority: u32 }))),
    }),
  ),
  rdma: rare(() => z.record(z.string(), z.object({ hcaHandles: z.optional(u32), hcaObjects: z.optional(u32) }))),
  unified: stringMap,
})

const seccompAction = () =>
  z.enum([
    'SCMP_ACT_KILL',
    'SCMP_ACT_KILL_PROCESS',
    'SCMP_ACT_KILL_THREAD',
    'SCMP_ACT_TRAP',
    'SCMP_ACT_ERRNO',
    'SCMP_ACT_TRACE',
    'SCMP_ACT_ALLOW',
    'SCMP_ACT_LOG',
    'SCMP_ACT_NOTIFY',
  ])

const seccompArg = () =>
  z.object({
    index: int(0, 5),
    value: u64,
    valueTwo: z.optional(u64),
    op: z.enum([
      'SCMP_CMP_NE',
      'SCMP_CMP_LT',
      'SCMP_CMP_LE',
      'SCMP_CMP_EQ',
      'SCMP_CMP_GE',
      'SCMP_CMP_GT',
      'SCMP_CMP_MASKED_EQ',
    ]),
  })

const seccomp = (): z.ZodMiniType<Seccomp> =>
  z.object({
    defaultAction: seccompAction(),
    defaultErrnoRet: z.optional(u32),
    architectures: strings,
    flags: strings,
    listenerPath: z.optional(cString),
    listenerMetadata: text,
    syscalls: z.optional(
      z.array(
        z.object({
          names: z.array(z.string()).check(z.minLength(1, 'must name at least one system call')),
          action: seccompAction(),
          errnoRet: z.optional(u32),
          args: z.optional(z.array(seccompArg())),
        }),
      ),
    ),
  })

const linux = z.object({
  uidMappings: idMappings,
  gidMappings: idMappings,
  sysctl: stringMap,
  resources: z.optional(resources),
  cgroupsPath: z.optional(cString),
  namespaces: z.optional(
    z.array(
      z.object({
        type: z.enum(['pid', 'network', 'mount', 'ipc', 'uts', 'user', 'cgroup', 'time']),
        path: z.optional(cString),
      }),
    ),
  ),
  devices: rare(() =>
    z.array(
      z.object({
        path: filled,
        type: z.enum(['c', 'b', 'u', 'p']),
        major: z.optional(nodeMajor),
        minor: z.optional(nodeMinor),
        fileMode: z.optional(u32),
        uid: z.optional(id),
        gid: z.optional(id),
      }),
    ),
  ),
  netDevices: rare(() => z.record(z.string(), z.object({ name: text }))),
  seccomp: rare(seccomp),
  rootfsPropagation: text,
  maskedPaths: cStrings,
  readonlyPaths: cStrings,
  mountLabel: z.optional(cString),
  intelRdt: rare(() =>
    z.object({
      closID: text,
      schemata: strings,
      l3CacheSchema: text,
      memBwSchema: text,
      enableMonitoring: boolean,
    }),
  ),
  memoryPolicy: rare(() => z.object({ mode: text, nodes: text, flags: strings })),
  personality: rare(() => z.object({ domain: z.enum(['LINUX', 'LINUX32']), flags: strings })),
  timeOffsets: rare(() => z.record(z.string(), z.object({ secs: z.optional(i64), nanosecs: z.optional(u32) }))),
})

const version = z
  .string()
  .check(z.regex(/^[01]\.\d+\.\d+(?:[-+][\w.+-]+)?$/, 'must be a version of the runtime specification, 1.x.y'))

/** config.json as a whole. */
export const runtimeConfig: z.ZodMiniType<RuntimeConfig> = z.object({
  ociVersion: version,
  process,
  root: z.object({ path: filled, readonly: boolean }),
  hostname: z.optional(cString),
  domainname: z.optional(cString),
  mounts: z.optional(z.array(mount)),
  hooks: rare(hookLists),
  annotations: stringMap,
  linux: z.optional(linux),
})

export type CheckResult =
  | { readonly kind: 'valid'; readonly config: RuntimeConfig }
  | { readonly kind: 'invalid'; readonly problems: readonly ConfigProblem[] }

/** Gives the members of a decoded config.json the spec's spelling: as in Go, their case does not matter. */
export function withSpecNames(value: unknown): unknown {
  return foldNames(runtimeConfig, value)
}

/** Checks each field of a decoded config.json on its own. */
export function checkRuntimeConfig(value: unknown): CheckResult {
  const result = runtimeConfig.safeParse(value)
  if (result.success) return { kind: 'valid', config: result.data }
  return { kind: 'invalid', problems: problemsOf(result.error.issues, value) }
}

/** Pointers of the object members of `value` that `config`, what the schema made of it, has not. */
export function unknownProperties(value: unknown, config: unknown, path: readonly PropertyKey[] = []): string[] {
  if (typeof value !== 'object' || value === null || typeof config !== 'object' || config === null) return []
  const unknown: string[] = []
  for (const key of Object.keys(value)) {
    const inner = member(value, key)
    if (!(key in config)) unknown.push(toPointer([...path, key]))
    else if (typeof inner === 'object') unknown.push(...unknownProperties(inner, member(config, key), [...path, key]))
  }
  return unknown
}
