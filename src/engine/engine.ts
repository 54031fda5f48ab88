/** The name by which engines know this runtime. */
export const runtimeName = 'bundle-tool'

/** The runtime as a configuration names it. */
export interface EngineRuntime {
  /** Absolute path of the binary. */
  readonly path: string
  /** True to make it the runtime of containers that name none. */
  readonly isDefault: boolean
}

/** A container engine: where its configuration is, and how this runtime is written into it and taken out. */
export interface Engine {
  /** Absolute path of the file that is written. @param home the configuration directory of a user who is not root */
  readonly file: (home: string | undefined) => string
  /** Absolute paths of files that are read for what an entry depends on, and directories whose files are: `/DIR/*.conf`. */
  readonly reads?: readonly string[]
  /** The entry alone, for people who write it themselves. @param text the present content of the file, '' for none */
  readonly snippet: (runtime: EngineRuntime, text: string, read: readonly string[]) => string
  /**
   * The file with the entry, in place of an earlier one; all else stays.
   * @throws OciError `ERR_ENGINE_CONFIG` the file is not as the engine wants it, or has an entry that others have written
   */
  readonly add: (runtime: EngineRuntime, text: string, read: readonly string[]) => string
  /** The file without the entry; undefined when the file has nothing else, so that it goes. @throws OciError `ERR_ENGINE_CONFIG` */
  readonly remove: (text: string) => string | undefined
  /** The commands after which the engine knows of a change; undefined: it reads the file each time. */
  readonly restart: Readonly<Record<'write' | 'remove', string>> | undefined
}
