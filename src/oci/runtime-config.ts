import { OciError } from '../errors.ts'
import { type Integer, JsonSyntaxError, parseExactJson } from './json.ts'
import { checkRuntimeConfig, unknownProperties, withSpecNames } from './runtime-config-schema.ts'

export type { Integer } from './json.ts'

/**
 * A runtime config: config.json of a bundle, in the spec's spelling, `null` read as absent. Properties the spec does not
 * know, and those of other systems (`windows`, `vm` ...), are left out.
 *
 * @see runtime-spec v1.3.0 config.md, config-linux.md
 */
export interface RuntimeConfig {
  readonly ociVersion: string
  readonly process: Process
  readonly root: Root
  readonly hostname?: string | undefined
  readonly domainname?: string | undefined
  readonly mounts?: readonly Mount[] | undefined
  readonly hooks?: Hooks | undefined
  readonly annotations?: Readonly<Record<string, string>> | undefined
  readonly linux?: Linux | undefined
}

/** Also the document that `exec --process` takes. An absent user is 0:0, as for runc. */
export interface Process {
  readonly terminal?: boolean | undefined
  readonly consoleSize?: { readonly height: number; readonly width: number } | undefined
  readonly user: User
  readonly args: readonly string[]
  readonly env?: readonly string[] | undefined
  readonly cwd: string
  readonly capabilities?: Capabilities | undefined
  readonly rlimits?: readonly Rlimit[] | undefined
  readonly noNewPrivileges?: boolean | undefined
  readonly apparmorProfile?: string | undefined
  readonly oomScoreAdj?: number | undefined
  readonly scheduler?: Scheduler | undefined
  readonly selinuxLabel?: string | undefined
  readonly ioPriority?: IOPriority | undefined
  readonly execCPUAffinity?: { readonly initial?: string | undefined; readonly final?: string | undefined } | undefined
}

export interface User {
  readonly uid: number
  readonly gid: number
  readonly umask?: number | undefined
  readonly additionalGids?: readonly number[] | undefined
}

/** Capability names as written (`CAP_CHOWN`); which of them exist is the compiler's to know. */
export interface Capabilities {
  readonly bounding?: readonly string[] | undefined
  readonly effective?: readonly string[] | undefined
  readonly inheritable?: readonly string[] | undefined
  readonly permitted?: readonly string[] | undefined
  readonly ambient?: readonly string[] | undefined
}

/** `type` as written (`RLIMIT_NOFILE`); 2^64-1 is no limit. */
export interface Rlimit {
  readonly type: string
  readonly hard: Integer
  readonly soft: Integer
}

/** Runtime, deadline and period are nanoseconds. */
export interface Scheduler {
  readonly policy: string
  readonly nice?: number | undefined
  readonly priority?: number | undefined
  readonly flags?: readonly string[] | undefined
  readonly runtime?: Integer | undefined
  readonly deadline?: Integer | undefined
  readonly period?: Integer | undefined
}

export interface IOPriority {
  readonly class: 'IOPRIO_CLASS_RT' | 'IOPRIO_CLASS_BE' | 'IOPRIO_CLASS_IDLE'
  readonly priority: number
}

/** A relative path is below the bundle. */
export interface Root {
  readonly path: string
  readonly readonly?: boolean | undefined
}

/** A relative source of a bind mount is below the bundle. */
export interface Mount {
  readonly destination: string
  readonly type?: string | undefined
  readonly source?: string | undefined
  readonly options?: readonly string[] | undefined
  readonly uidMappings?: readonly IDMapping[] | undefined
  readonly gidMappings?: readonly IDMapping[] | undefined
}

export interface IDMapping {
  readonly containerID: number
  readonly hostID: number
  readonly size: number
}

/** The ids of a user namespace. */
export interface IDMappings {
  readonly uidMappings: readonly IDMapping[]
  readonly gidMappings: readonly IDMapping[]
}

export interface Hooks {
  readonly prestart?: readonly Hook[] | undefined
  readonly createRuntime?: readonly Hook[] | undefined
  readonly createContainer?: readonly Hook[] | undefined
  readonly startContainer?: readonly Hook[] | undefined
  readonly poststart?: readonly Hook[] | undefined
  readonly poststop?: readonly Hook[] | undefined
}

/** The timeout is in seconds; `args` includes argv[0]. */
export interface Hook {
  readonly path: string
  readonly args?: readonly string[] | undefined
  readonly env?: readonly string[] | undefined
  readonly timeout?: number | undefined
}

export interface Linux {
  readonly uidMappings?: readonly IDMapping[] | undefined
  readonly gidMappings?: readonly IDMapping[] | undefined
  readonly sysctl?: Readonly<Record<string, string>> | undefined
  readonly resources?: Resources | undefined
  readonly cgroupsPath?: string | undefined
  readonly namespaces?: readonly Namespace[] | undefined
  readonly devices?: readonly Device[] | undefined
  /** By name on the host. */
  readonly netDevices?: Readonly<Record<string, { readonly name?: string | undefined }>> | undefined
  readonly seccomp?: Seccomp | undefined
  /** One of `private`, `shared`, `slave`, `unbindable`, or its recursive form (`rprivate` ...), as runc takes. */
  readonly rootfsPropagation?: string | undefined
  readonly maskedPaths?: readonly string[] | undefined
  readonly readonlyPaths?: readonly string[] | undefined
  readonly mountLabel?: string | undefined
  readonly intelRdt?: IntelRdt | undefined
  readonly memoryPolicy?: MemoryPolicy | undefined
  readonly personality?: Personality | undefined
  /** By clock: `monotonic`, `boottime`. */
  readonly timeOffsets?: Readonly<Record<string, TimeOffset>> | undefined
}

export type NamespaceType = 'pid' | 'network' | 'mount' | 'ipc' | 'uts' | 'user' | 'cgroup' | 'time'

/** Without a path: a new one. */
export interface Namespace {
  readonly type: NamespaceType
  readonly path?: string | undefined
}

export interface TimeOffset {
  readonly secs?: Integer | undefined
  readonly nanosecs?: number | undefined
}

/** `u` is an unbuffered character device, the same as `c`. */
export interface Device {
  readonly path: string
  readonly type: 'c' | 'b' | 'u' | 'p'
  readonly major?: number | undefined
  readonly minor?: number | undefined
  readonly fileMode?: number | undefined
  readonly uid?: number | undefined
  readonly gid?: number | undefined
}

/** What a cgroup grants; `unified` holds cgroup v2 files by name. */
export interface Resources {
  readonly devices?: readonly DeviceRule[] | undefined
  readonly memory?: Memory | undefined
  readonly cpu?: CPU | undefined
  readonly pids?: { readonly limit?: Integer | undefined } | undefined
  readonly blockIO?: BlockIO | undefined
  readonly hugepageLimits?: readonly { readonly pageSize: string; readonly limit: Integer }[] | undefined
  readonly network?: NetworkResources | undefined
  readonly rdma?: Readonly<Record<string, Rdma>> | undefined
  readonly unified?: Readonly<Record<string, string>> | undefined
}

/** An absent major or minor, and -1, is any. */
export interface DeviceRule {
  readonly allow: boolean
  readonly type?: string | undefined
  readonly major?: number | undefined
  readonly minor?: number | undefined
  readonly access?: string | undefined
}

/** Bytes; -1 is no limit. `swap` is memory and swap together. */
export interface Memory {
  readonly limit?: Integer | undefined
  readonly reservation?: Integer | undefined
  readonly swap?: Integer | undefined
  readonly kernel?: Integer | undefined
  readonly kernelTCP?: Integer | undefined
  readonly swappiness?: Integer | undefined
  readonly disableOOMKiller?: boolean | undefined
  readonly useHierarchy?: boolean | undefined
  readonly checkBeforeUpdate?: boolean | undefined
}

/** Times in microseconds; a quota of -1 is no limit. */
export interface CPU {
  readonly shares?: Integer | undefined
  readonly quota?: Integer | undefined
  readonly burst?: Integer | undefined
  readonly period?: Integer | undefined
  readonly realtimeRuntime?: Integer | undefined
  readonly realtimePeriod?: Integer | undefined
  readonly cpus?: string | undefined
  readonly mems?: string | undefined
  readonly idle?: Integer | undefined
}

export interface BlockIO {
  readonly weight?: number | undefined
  readonly leafWeight?: number | undefined
  readonly weightDevice?: readonly WeightDevice[] | undefined
  readonly throttleReadBpsDevice?: readonly ThrottleDevice[] | undefined
  readonly throttleWriteBpsDevice?: readonly ThrottleDevice[] | undefined
  readonly throttleReadIOPSDevice?: readonly ThrottleDevice[] | undefined
  readonly throttleWriteIOPSDevice?: readonly ThrottleDevice[] | undefined
}

export interface WeightDevice {
  readonly major: number
  readonly minor: number
  readonly weight?: number | undefined
  readonly leafWeight?: number | undefined
}

export interface ThrottleDevice {
  readonly major: number
  readonly minor: number
  readonly rate: Integer
}

export interface NetworkResources {
  readonly classID?: number | undefined
  readonly priorities?: readonly { readonly name: string; readonly priority: number }[] | undefined
}

export interface Rdma {
  readonly hcaHandles?: number | undefined
  readonly hcaObjects?: number | undefined
}

export interface Seccomp {
  readonly defaultAction: SeccompAction
  readonly defaultErrnoRet?: number | undefined
  readonly architectures?: readonly string[] | undefined
  readonly flags?: readonly string[] | undefined
  readonly listenerPath?: string | undefined
  readonly listenerMetadata?: string | undefined
  readonly syscalls?: readonly SeccompSyscall[] | undefined
}

export type SeccompAction =
  | 'SCMP_ACT_KILL'
  | 'SCMP_ACT_KILL_PROCESS'
  | 'SCMP_ACT_KILL_THREAD'
  | 'SCMP_ACT_TRAP'
  | 'SCMP_ACT_ERRNO'
  | 'SCMP_ACT_TRACE'
  | 'SCMP_ACT_ALLOW'
  | 'SCMP_ACT_LOG'
  | 'SCMP_ACT_NOTIFY'

export type SeccompOperator =
  | 'SCMP_CMP_NE'
  | 'SCMP_CMP_LT'
  | 'SCMP_CMP_LE'
  | 'SCMP_CMP_EQ'
  | 'SCMP_CMP_GE'
  | 'SCMP_CMP_GT'
  | 'SCMP_CMP_MASKED_EQ'

export interface SeccompSyscall {
  readonly names: readonly string[]
  readonly action: SeccompAction
  readonly errnoRet?: number | undefined
  readonly args?: readonly SeccompArg[] | undefined
}

export interface SeccompArg {
  readonly index: number
  readonly value: Integer
  readonly valueTwo?: Integer | undefined
  readonly op: SeccompOperator
}

export interface IntelRdt {
  readonly closID?: string | undefined
  readonly schemata?: readonly string[] | undefined
  readonly l3CacheSchema?: string | undefined
  readonly memBwSchema?: string | undefined
  readonly enableMonitoring?: boolean | undefined
}

/** Mode and flags as written (`MPOL_BIND`, `MPOL_F_STATIC_NODES`). */
export interface MemoryPolicy {
  readonly mode?: string | undefined
  readonly nodes?: string | undefined
  readonly flags?: readonly string[] | undefined
}

export interface Personality {
  readonly domain: 'LINUX' | 'LINUX32'
  readonly flags?: readonly string[] | undefined
}

/** Largest config.json that is read, in bytes. */
export const maxRuntimeConfigBytes: number = 16 * 1024 * 1024

/** A problem of a config.json: what is wrong with the value at a JSON pointer. */
export interface ConfigProblem {
  readonly pointer: string
  readonly message: string
}

/**
 * Reads a config.json; names in any case, as Go's decoder has it.
 *
 * What one field alone decides is checked here; `runtimeConfigProblems` has the rules across fields, and whether this
 * host and this version can do what is asked is the compiler's to say.
 * @param onUnknown is told the pointer of each property that the spec does not know
 * @throws OciError `ERR_CONFIG_INVALID` with every problem, or with the line and column where the text is not JSON
 * @see runtime-spec v1.3.0 config.md
 */
export function parseRuntimeConfig(text: string, onUnknown?: (pointer: string) => void): RuntimeConfig {
  const given = parseConfigJson(text)
  // Most have every name in the spec's spelling.
  const asGiven = checkRuntimeConfig(given)
  if (asGiven.kind === 'valid' && unknownProperties(given, asGiven.config).length === 0) return asGiven.config
  const value = withSpecNames(given)
  const result = checkRuntimeConfig(value)
  if (result.kind === 'invalid') throw invalidConfig(result.problems)
  if (onUnknown !== undefined) unknownProperties(value, result.config).forEach(onUnknown)
  return result.config
}

/**
 * Reads the document that `exec --process` takes: the member `process` of a config.json, whose pointers begin so.
 *
 * @throws OciError `ERR_CONFIG_INVALID`
 */
export function parseProcess(text: string): Process {
  const config = { ociVersion: '1.0.0', root: { path: '/' }, process: parseConfigJson(text) }
  const result = checkRuntimeConfig(withSpecNames(config))
  if (result.kind === 'invalid') throw invalidConfig(result.problems)
  return result.config.process
}

/** One error for all problems of a config.json; its pointer is the first one's. */
export function invalidConfig(problems: readonly ConfigProblem[]): OciError {
  const list = problems.map(({ pointer, message }) => `${pointer || '/'}: ${message}`)
  const text = list.length === 1 ? list[0] : `${list.length} problems: ${list.join('; ')}`
  return new OciError('ERR_CONFIG_INVALID', `config.json is invalid: ${text}`, { pointer: problems[0]?.pointer })
}

function parseConfigJson(text: string): unknown {
  try {
    return parseExactJson(text)
  } catch (cause) {
    if (!(cause instanceof JsonSyntaxError)) throw cause
    throw new OciError('ERR_CONFIG_INVALID', `config.json is not JSON: ${cause.message}`, {
      hint: 'write a fresh one with `bundle-tool spec`',
      cause,
    })
  }
}
