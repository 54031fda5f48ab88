import type { OperandKind, OpName, ops, Phase, RegisterName, TolerableError } from './ops.ts'

/** A descriptor's place, by a name that says what is in it. */
export type Slot = string

/** A string, or pieces of one with values that are known only when the program runs. */
export type Text = string | readonly (string | { readonly register: RegisterName })[]

/** The TypeScript type of an operand of each kind. */
export type OperandValue<K extends OperandKind> = K extends 'slot'
  ? Slot | null
  : K extends 'newSlot'
    ? Slot
    : K extends 'text'
      ? Text
      : K extends 'string'
        ? string | Uint8Array | null
        : K extends 'list'
          ? readonly string[]
          : K extends 'bytes'
            ? Uint8Array
            : number | bigint

/** What a step is given: one value for each operand that its op declares. */
export type Operands<Name extends OpName> = {
  readonly [Key in keyof (typeof ops)[Name]['operands']]: (typeof ops)[Name]['operands'][Key] extends infer K extends
    OperandKind
    ? OperandValue<K>
    : never
}

export type AnyOperand = Slot | Text | string | Uint8Array | readonly string[] | number | bigint | null

/** One step: an op with its operands, and where it came from. */
export interface Step {
  readonly op: OpName
  readonly operands: Readonly<Record<string, AnyOperand>>
  /** RFC 6901 pointer into config.json, or the command line option (`--pid-file`), or '' for the runtime's own needs. */
  readonly from: string
  /** Errors that do not end the program. */
  readonly ok: readonly TolerableError[]
}

/** A step of the host with what takes it back. */
export interface HostStep extends Step {
  readonly undo: readonly Step[]
}

/** What starts a container, in order. */
export interface Program {
  readonly host: readonly HostStep[]
  readonly stage: readonly Step[]
  readonly child: readonly Step[]
}

export interface NumberedStep {
  readonly address: number
  readonly phase: Phase
  readonly step: Step
  /** Undo steps: the address of the host step they take back. */
  readonly undoes?: number
}

/** Makes a step; the types of the operands come from the op table. */
export function op<Name extends OpName>(
  name: Name,
  operands: Operands<Name>,
  from = '',
  ...ok: readonly TolerableError[]
): Step {
  return { op: name, operands, from, ok }
}

/** A host step, and the steps that take it back, in their order. */
export function undoable(step: Step, ...undo: readonly Step[]): HostStep {
  return { ...step, undo }
}

/** All steps in the order of the encoded program, which is also how `explain` and the runner's reports number them. */
export function numbered(program: Program): readonly NumberedStep[] {
  const steps: NumberedStep[] = []
  const add = (phase: Phase, step: Step, undoes?: number): void => {
    const address = steps.length
    steps.push(undoes === undefined ? { address, phase, step } : { address, phase, step, undoes })
  }
  for (const step of program.host) add('host', step)
  for (const step of program.stage) add('stage', step)
  for (const step of program.child) add('child', step)
  for (let index = program.host.length - 1; index >= 0; index--) {
    for (const step of program.host[index]?.undo ?? []) add('undo', step, index)
  }
  return steps
}
