/** The kind of an operand, which decides how it is encoded and how `explain` shows it. */
export type OperandKind =
  | 'slot' // a descriptor from an earlier step; null: the current directory, or none
  | 'newSlot' // the slot that this step fills; a descriptor that is in it is closed
  | 'text' // a string that may name registers
  | 'string' // a string without registers; null: none
  | 'list' // strings, for argv and envp
  | 'bytes' // binary data with its length
  | 'decimal'
  | 'octal'
  | 'hex'
  | 'id' // a uid or gid
  | 'barrier' // a place where two processes meet, by its name in the contract
  | FlagKind

/** Integers shown as names; `src/program/flags.ts` has the names. */
export type FlagKind =
  | 'openFlags'
  | 'mountFlags'
  | 'mountAttributes'
  | 'cloneFlags'
  | 'treeFlags'
  | 'resolveKind'
  | 'resource'
  | 'capabilities'
  | 'prctl'

export interface OpDefinition {
  readonly number: number
  readonly operands: Readonly<Record<string, OperandKind>>
  /**
   * The system call of an op that is only one, which the runner makes from this description. An argument is the name of an
   * operand, `#` and a name for an operand's length, or a constant of C; the others are 0. Other ops have a C function.
   */
  readonly syscall?: readonly [name: string, ...rest: string[]]
  /** The effect of the op, for the documentation. */
  readonly does: string
}
