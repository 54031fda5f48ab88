import {
  array,
  boolean,
  type Infer,
  integer,
  object,
  oneOf,
  optional,
  refine,
  type Schema,
  string,
  withDefault,
} from '../schema.ts'
import { absolute, cString, env, i32, id, rare, strings, u16, u32, u64 } from './values.ts'

const user = object({
  uid: withDefault(id, 0),
  gid: withDefault(id, 0),
  umask: optional(u32),
  additionalGids: optional(array(id)),
})
export interface User extends Infer<typeof user> {}

const capabilities = object({
  bounding: strings,
  effective: strings,
  inheritable: strings,
  permitted: strings,
  ambient: strings,
})
/** Names of capabilities, such as `CAP_CHOWN`; the compiler decides which of them exist. */
export interface Capabilities extends Infer<typeof capabilities> {}

const rlimit = object({
  /** The name, such as `RLIMIT_NOFILE`. */
  type: string,
  /** 2^64-1 means unlimited. */
  hard: u64,
  /** 2^64-1 means unlimited. */
  soft: u64,
})
export interface Rlimit extends Infer<typeof rlimit> {}

const consoleSize = () =>
  object({
    height: u16,
    width: u16,
  })

const scheduler = () =>
  object({
    /** The name, such as `SCHED_DEADLINE`. */
    policy: string,
    nice: optional(i32),
    priority: optional(i32),
    flags: strings,
    /** In nanoseconds. */
    runtime: optional(u64),
    /** In nanoseconds. */
    deadline: optional(u64),
    /** In nanoseconds. */
    period: optional(u64),
  })
export interface Scheduler extends Infer<typeof scheduler> {}

const ioPriority = () =>
  object({
    class: oneOf('IOPRIO_CLASS_RT', 'IOPRIO_CLASS_BE', 'IOPRIO_CLASS_IDLE'),
    priority: withDefault(integer(0, 7), 0),
  })
export interface IOPriority extends Infer<typeof ioPriority> {}

const execCPUAffinity = () =>
  object({
    /** CPUs until the process is in the container's cgroup, as a list (`0-3,7`). */
    initial: optional(string),
    /** CPUs after that. */
    final: optional(string),
  })

const members = object({
  terminal: optional(boolean),
  consoleSize: rare(consoleSize),
  /** The default is 0:0, as in runc. */
  user: withDefault<User>(user, {}),
  args: refine(array(cString), (args) => args.length > 0, 'must have at least one entry, the program to run'),
  env,
  cwd: absolute,
  capabilities: optional<Capabilities>(capabilities),
  rlimits: optional(array<Rlimit>(rlimit)),
  noNewPrivileges: optional(boolean),
  apparmorProfile: optional(cString),
  oomScoreAdj: optional(integer(-1000, 1000)),
  scheduler: rare<Scheduler>(scheduler),
  selinuxLabel: optional(cString),
  ioPriority: rare<IOPriority>(ioPriority),
  execCPUAffinity: rare(execCPUAffinity),
})

/** The process of a container, and the document of `exec --process`. */
export interface Process extends Infer<typeof members> {}
export const process: Schema<Process> = members
