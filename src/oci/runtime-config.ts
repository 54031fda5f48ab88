import { OciError } from '../errors.ts'
import { JsonSyntaxError, parseExactJson } from './json.ts'
import { checkJsonLimits } from './json-limits.ts'
import type { Problem } from './problem.ts'
import { type Hooks, hooks } from './runtime-config/hooks.ts'
import { type Linux, linux } from './runtime-config/linux.ts'
import { type Process, process } from './runtime-config/process.ts'
import { cString, cStrings, filled, idMappings, rare } from './runtime-config/values.ts'
import { array, boolean, type Infer, object, optional, parseBy, record, refine, type Schema, string } from './schema.ts'

export type { Integer } from './json.ts'
export type { Hook, Hooks } from './runtime-config/hooks.ts'
export type {
  Device,
  IntelRdt,
  Linux,
  MemoryPolicy,
  Namespace,
  NamespaceType,
} from './runtime-config/linux.ts'
export type { Capabilities, Process, Rlimit, Scheduler } from './runtime-config/process.ts'
export type {
  BlockIO,
  CPU,
  DeviceRule,
  Memory,
  NetworkResources,
  Rdma,
  Resources,
  ThrottleDevice,
  WeightDevice,
} from './runtime-config/resources.ts'
export type {
  Seccomp,
  SeccompAction,
  SeccompArg,
  SeccompOperator,
  SeccompSyscall,
} from './runtime-config/seccomp.ts'
export type { IDMapping, IDMappings } from './runtime-config/values.ts'

const version = refine(
  string,
  (text) => /^[01]\.\d+\.\d+(?:[-+][\w.+-]+)?$/.test(text),
  'must be a version of the runtime specification, 1.x.y',
)

const root = object({
  /** Relative to the bundle. */
  path: filled,
  readonly: optional(boolean),
})

const mount = object({
  destination: filled,
  type: optional(cString),
  /** For a bind mount relative to the bundle. */
  source: optional(cString),
  options: cStrings,
  uidMappings: idMappings,
  gidMappings: idMappings,
})
export interface Mount extends Infer<typeof mount> {}

const members = object({
  ociVersion: version,
  process,
  root,
  hostname: optional(cString),
  domainname: optional(cString),
  mounts: optional(array<Mount>(mount)),
  hooks: rare<Hooks>(hooks),
  annotations: optional(record(string)),
  linux: optional<Linux>(linux),
})

/**
 * A runtime config: config.json of a bundle, with the spec's names; `null` members are absent. Properties that the spec does
 * not define, and those of other systems (`windows`, `vm` ...), are left out.
 *
 * @see runtime-spec v1.3.0 config.md, config-linux.md
 */
export interface RuntimeConfig extends Infer<typeof members> {}
export const runtimeConfig: Schema<RuntimeConfig> = members

/** Largest config.json that is read, in bytes. */
export const maxRuntimeConfigBytes: number = 16 * 1024 * 1024

/**
 * Parses a config.json. Like Go's decoder, it accepts names in any case.
 *
 * It checks each field by itself. `runtimeConfigProblems` checks rules across fields, and the compiler checks that this host
 * and this version support the fields.
 * @param onUnknown receives the pointer of each property that the spec does not define
 * @throws OciError `ERR_CONFIG_INVALID` with every problem, or with the line and column at which the text is not JSON
 * @see runtime-spec v1.3.0 config.md
 */
export function parseRuntimeConfig(text: string, onUnknown?: (pointer: string) => void): RuntimeConfig {
  const result = parseBy(runtimeConfig, parseConfigJson(text))
  if (result.kind === 'invalid') throw invalidConfig(result.problems)
  result.unknown.forEach((pointer) => {
    onUnknown?.(pointer)
  })
  return result.value
}

/**
 * Parses the document of `exec --process`, a value of `process` in config.json. Pointers in errors begin with `/process`.
 *
 * @throws OciError `ERR_CONFIG_INVALID`
 */
export function parseProcess(text: string): Process {
  const result = parseBy(object({ process }), { process: parseConfigJson(text) })
  if (result.kind === 'invalid') throw invalidConfig(result.problems)
  return result.value.process
}

/** The error for all problems of a config.json; its pointer is that of the first. */
export function invalidConfig(problems: readonly Problem[]): OciError {
  const list = problems.map(({ pointer, message }) => `${pointer || '/'}: ${message}`)
  const text = list.length === 1 ? list[0] : `${list.length} problems: ${list.join('; ')}`
  return new OciError('ERR_CONFIG_INVALID', `config.json is invalid: ${text}`, { pointer: problems[0]?.pointer })
}

function parseConfigJson(text: string): unknown {
  try {
    checkJsonLimits(text)
    return parseExactJson(text)
  } catch (cause) {
    if (!(cause instanceof JsonSyntaxError)) throw cause
    throw new OciError('ERR_CONFIG_INVALID', `config.json is not JSON: ${cause.message}`, {
      hint: 'write a fresh one with `bundle-tool spec`',
      cause,
    })
  }
}
