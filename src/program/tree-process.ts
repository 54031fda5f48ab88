/** A process that carries out commands on the files of a tree. */
export interface TreeProcess {
  /**
   * Begins to place bytes where commands can refer to them, and returns the place. Waits until there is room.
   * @param bytes at most `maxPlacedBytes`
   * @throws TreeFailure of an earlier command
   */
  place(bytes: Uint8Array): Promise<number>
  /** Resolves when the bytes have been placed, and are of no more use. */
  placed(): Promise<void>
  /**
   * Sends commands that end in `done`. What was placed before may be overwritten when they have been carried out.
   * @param things one for each command, which a failure of it names
   */
  send(commands: Uint8Array, things: readonly unknown[]): void
  /** Resolves when all commands have been carried out. @throws TreeFailure the first one that could not be */
  idle(): Promise<void>
  /** Ends the process, whatever it is doing. */
  close(): Promise<void>
}

/** Starts a process for the tree in a directory, an absolute path. */
export type StartTree = (directory: string) => TreeProcess

/** The most bytes that are placed at a time. */
export const maxPlacedBytes: number = 2 * 1024 * 1024

/** The error of a command. */
export class TreeFailure extends Error {
  override readonly name = 'TreeFailure'
  /** The thing that was sent with the command. */
  readonly thing: unknown
  /** The system error, with its code and system call. */
  override readonly cause: NodeJS.ErrnoException

  constructor(thing: unknown, cause: NodeJS.ErrnoException) {
    super(cause.message)
    this.thing = thing
    this.cause = cause
  }
}
