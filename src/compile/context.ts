import type { RuntimeConfig } from '../oci/runtime-config.ts'
import type { Text } from '../program/program.ts'
import type { CgroupPlace } from './cgroup/paths.ts'
import type { SystemdManager } from './cgroup/systemd.ts'
import type { HostFacts } from './facts.ts'
import type { SeccompOptions, SeccompSteps } from './seccomp/steps.ts'

/** Options of `compile`, beside config.json. */
export interface CompileOptions extends Pick<SeccompOptions, 'filter'> {
  /** Absolute. */
  readonly bundle: string
  /** The state root, absolute. */
  readonly root: string
  /** `create`: waits for `start`. `detached`: starts, and the runner ends. `foreground`: supervised to its end. */
  readonly mode: 'create' | 'detached' | 'foreground'
  /** state.json, with registers for what only the runner knows. */
  readonly stateText: Text
  /** The record that the front reads for lifecycle commands, with registers; without it the front leaves them to Node.js. */
  readonly frontRecord?: Text | undefined
  /** Absolute path, as are `consoleSocket` and `pidfdSocket`. */
  readonly pidFile?: Exclude<Text, string> | undefined
  readonly consoleSocket?: Text | undefined
  readonly pidfdSocket?: string | undefined
  readonly preserveFds?: number | undefined
  /** The permissions of the rootfs directory; default 0755. */
  readonly rootfsMode?: number | undefined
  /** The service manager that is told when the container is ready (sd_notify(3)). */
  readonly notify?: NotifyTarget | undefined
  /** Targets of the symbolic links that mounts with the option `copy-symlink` copy, by the pointer of the mount. */
  readonly linkTargets?: ReadonlyMap<string, string> | undefined
  readonly noPivot?: boolean | undefined
  readonly noNewKeyring?: boolean | undefined
  readonly noSubreaper?: boolean | undefined
  /** Foreground: kill the container when the runner is killed. */
  readonly endsWithRunner?: boolean | undefined
  /** Foreground: leave the state and the cgroup when the container has exited. */
  readonly keep?: boolean | undefined
  /** The process of another container whose namespaces this one joins by its pid. */
  readonly shared?: SharedProcess | undefined
  /** The systemd that makes the cgroup; without it the runtime does. */
  readonly systemd?: SystemdManager | undefined
  /** Receives what config.json asks for and the host cannot give, in cases where runc too continues. */
  readonly warn?: ((message: string) => void) | undefined
  /** Receives what config.json asks for and the host cannot give, where runc continues in silence. */
  readonly note?: ((message: string) => void) | undefined
  /** Receives debug messages. */
  readonly debug?: ((message: string) => void) | undefined
}

export interface SharedProcess {
  readonly pid: number
  readonly startTime: number
  /** True when setgroups(2) is denied in its user namespace, which is joined too. */
  readonly deniesSetgroups: boolean
}

/** Inputs and intermediate results that the compiler's parts share. */
export interface CompileContext extends CompileOptions {
  readonly config: RuntimeConfig
  readonly facts: HostFacts
  readonly seccomp: SeccompSteps
  readonly cgroups: readonly CgroupPlace[]
  /** True when a user namespace is made or joined. */
  readonly hasUserNamespace: boolean
  readonly hasMountNamespace: boolean
  /**
   * True for the first process of a container whose caller has no root, while nobody else can see it: the caller may look at it
   * as at any process of its own, to enter a container before it is started, or to take the listener of its filter.
   */
  readonly isOpenToCaller: boolean
}

/** A notification socket of the host. A foreground container is known there by the tool's own process, `mainPid`. */
export interface NotifyTarget {
  /** The host's socket: a path, or an abstract name after "@". */
  readonly host: string
  readonly mainPid: number
}
