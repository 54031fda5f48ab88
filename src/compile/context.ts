import type { RuntimeConfig } from '../oci/runtime-config.ts'
import type { Text } from '../program/program.ts'
import type { CgroupPlace } from './cgroup/paths.ts'
import type { SystemdManager } from './cgroup/systemd.ts'
import type { HostFacts } from './facts.ts'
import type { SeccompOptions, SeccompSteps } from './seccomp/steps.ts'

/** What the caller of `compile` asks for, beside config.json. */
export interface CompileOptions extends Pick<SeccompOptions, 'filter'> {
  /** Absolute. */
  readonly bundle: string
  /** The state root, absolute. */
  readonly root: string
  /** `create`: waits for `start`. `detached`: starts, and the runner ends. `foreground`: supervised to its end. */
  readonly mode: 'create' | 'detached' | 'foreground'
  /** state.json, with registers for what only the runner knows. */
  readonly stateText: Text
  /** What the front reads of the container, with registers too; none: the front leaves it to Node.js. */
  readonly frontRecord?: Text | undefined
  /** Absolute, as the two after it. */
  readonly pidFile?: Exclude<Text, string> | undefined
  readonly consoleSocket?: Text | undefined
  readonly pidfdSocket?: string | undefined
  readonly preserveFds?: number | undefined
  /** Who is to hear that the container is ready. */
  readonly notify?: NotifyTarget | undefined
  readonly noPivot?: boolean | undefined
  readonly noNewKeyring?: boolean | undefined
  readonly noSubreaper?: boolean | undefined
  /** Foreground: leave the state and the cgroup when the container has exited. */
  readonly keep?: boolean | undefined
  /** Makes the cgroup, where that is not left to the runtime. */
  readonly systemd?: SystemdManager | undefined
  /** Hears what config.json asks for and the host cannot give, where runc too goes on. */
  readonly warn?: ((message: string) => void) | undefined
  /** Hears what is worth knowing and no reason to worry. */
  readonly debug?: ((message: string) => void) | undefined
}

/** What the parts of the compiler share. */
export interface CompileContext extends CompileOptions {
  readonly config: RuntimeConfig
  readonly facts: HostFacts
  readonly seccomp: SeccompSteps
  readonly cgroups: readonly CgroupPlace[]
  /** Whether a new user namespace is made or one is joined. */
  readonly hasUserNamespace: boolean
  readonly hasMountNamespace: boolean
}

/** A foreground container is known to the host by the tool's own process, `mainPid`. */
export interface NotifyTarget {
  /** The host's socket: a path, or an abstract name after "@". */
  readonly host: string
  readonly mainPid: number
}
