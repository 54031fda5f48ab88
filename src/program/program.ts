import type { OperandKind } from './ops/definition.ts'
import type { OpName, ops, Phase, RegisterName, TolerableError } from './ops.ts'

/** The name of a place for a descriptor; it tells what the descriptor is. */
export type Slot = string

/** A string, or its pieces, some of which are registers: values that are known only when the program runs. */
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

/** The operands of a step: one value for each operand that its op declares. */
export type Operands<Name extends OpName> = {
  readonly [Key in keyof (typeof ops)[Name]['operands']]: (typeof ops)[Name]['operands'][Key] extends infer K extends
    OperandKind
    ? OperandValue<K>
    : never
}

export type AnyOperand = Slot | Text | string | Uint8Array | readonly string[] | number | bigint | null

/** One step: an op with its operands, and its origin. */
export interface Step {
  readonly op: OpName
  readonly operands: Readonly<Record<string, AnyOperand>>
  /** RFC 6901 pointer into config.json, or the command line option (`--pid-file`), or '' for the runtime's own needs. */
  readonly from: string
  /** Errors that are tolerated: they do not end the program. */
  readonly ok: readonly TolerableError[]
}

/** A host step with the steps that undo it. */
export interface HostStep extends Step {
  readonly undo: readonly Step[]
}

/** A program of the runner: the steps of each phase, in order. `stage` is empty if no first child is needed. */
export interface Program {
  readonly host: readonly HostStep[]
  readonly stage: readonly Step[]
  readonly child: readonly Step[]
}

/** A step with its place in the encoded program. */
export interface NumberedStep {
  readonly address: number
  readonly phase: Phase
  readonly step: Step
  /** For an undo step: the address of the host step that it undoes. */
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

/** Makes a host step with the steps that undo it, in order. */
export function undoable(step: Step, ...undo: readonly Step[]): HostStep {
  return { ...step, undo }
}

/** Numbers all steps in the order of the encoded program, for `explain` and the runner's reports. */
export function numbered(program: Program): readonly NumberedStep[] {
  const steps: NumberedStep[] = []
  forEachStep(program, (step, phase, address, undoes) => {
    steps.push(undoes === undefined ? { address, phase, step } : { address, phase, step, undoes })
  })
  return steps
}

/** Calls `visit` for each step in the order of the encoded program; `undoes` is the address of the host step that it undoes. */
export function forEachStep(
  program: Program,
  visit: (step: Step, phase: Phase, address: number, undoes?: number) => void,
): void {
  let address = 0
  for (const step of program.host) visit(step, 'host', address++)
  for (const step of program.stage) visit(step, 'stage', address++)
  for (const step of program.child) visit(step, 'child', address++)
  for (let index = program.host.length - 1; index >= 0; index--)
    for (const step of program.host[index]?.undo ?? []) visit(step, 'undo', address++, index)
}

/** The number of all steps. */
export function countOf({ host, stage, child }: Program): number {
  let count = host.length + stage.length + child.length
  for (const { undo } of host) count += undo.length
  return count
}
