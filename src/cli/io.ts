/** What a stream of text needs to take output. */
export interface TextOutput {
  write(text: string): unknown
  readonly isTTY?: boolean | undefined
}

/** The process, as far as the command line sees it: an argument of `main`, so that tests need no process. */
export interface IO {
  /** The name the tool was called by, which help and errors use. */
  readonly name: string
  readonly stdout: TextOutput
  readonly stderr: TextOutput
  /** Writes to standard output what is no text; the bytes can be used again when it is done. */
  readonly writeBytes: (bytes: Uint8Array) => Promise<void>
  /** Read by `unpack rootfs:-` alone. */
  readonly stdin: AsyncIterable<Uint8Array>
  /** Takes a program for the front to execute, which has asked for it; then nothing is left to do here. */
  readonly handOver?: ((message: Uint8Array) => void) | undefined
  readonly env: Readonly<Record<string, string | undefined>>
  readonly euid: number
  /** A signal that SIGINT and SIGTERM abort, its reason an OciError `ERR_INTERRUPTED`; until it is asked for, they kill. */
  readonly interruption: () => AbortSignal
}
