import type { RuntimeConfig } from '../../oci/runtime-config.ts'
import type { ImageUser } from '../user.ts'

/**
 * Changes of a config.json, by the names and in the values that docker and podman have for them. Each member is the flag of
 * the same name on the command line (`envFile` is `--env-file`), and takes the same text.
 */
export interface ConfigChanges {
  /** The words to run; an entrypoint stays before them. */
  readonly args?: readonly string[] | undefined
  /** One word, or a JSON array of words, that stands before `args`; empty for none. The image's own command goes with it. */
  readonly entrypoint?: string | undefined
  /** Files of `NAME=value` lines; `env` wins over them. */
  readonly envFile?: readonly string[] | undefined
  /** `NAME=value`, or `NAME` for the value that this process has, and for no such variable if it has none. */
  readonly env?: readonly string[] | undefined
  readonly workdir?: string | undefined
  /** `USER[:GROUP]`, ids or names that the rootfs knows. */
  readonly user?: string | undefined
  readonly tty?: boolean | undefined
  readonly hostname?: string | undefined
  readonly readOnly?: boolean | undefined
  readonly stopSignal?: string | undefined
  /** `NAME[=value]` */
  readonly label?: readonly string[] | undefined
  /** `NAME=value` */
  readonly annotation?: readonly string[] | undefined
}

/** The facts outside of config.json that changes depend on. */
export interface Surroundings {
  /** The caller's environment. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Reads a file that a flag names, relative to the caller's directory. */
  readonly readText: (path: string) => string
  /** Looks a user up in the rootfs. @throws OciError `ERR_USER_UNKNOWN` */
  readonly lookUpUser: (text: string) => ImageUser
  /** @throws OciError `ERR_USAGE` no such signal */
  readonly parseSignal: (text: string) => number
}

/** A config.json with one change. */
export type Change<Value> = (config: RuntimeConfig, value: Value, around: Surroundings) => RuntimeConfig
