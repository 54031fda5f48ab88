import type { OpDefinition } from '../program/ops/definition.ts'
import { ops } from '../program/ops.ts'
import { op, type Program, undoable } from '../program/program.ts'

/**
 * The number of descriptors that a program may have open beside its slots: 0 to 2; signals, reports, the caller's directory
 * and a pair of sockets to the other process; three pipes to the relay; a hook's input, and the pipes of its two outputs.
 */
const others = 3 + 5 + 6 + 5

/** The names of the operands of each op that are slots which it fills. */
const newSlots: Readonly<Record<string, readonly string[]>> = Object.fromEntries(
  Object.entries<OpDefinition>(ops).map(([name, { operands }]) => [
    name,
    Object.keys(operands).filter((operand) => operands[operand] === 'newSlot'),
  ]),
)

/**
 * Adds a first step that fails unless RLIMIT_NOFILE allows all descriptors that the program may open at once: a failure for
 * lack of descriptors after other steps could not be undone.
 *
 * @param inherited the number of descriptors from 3 on that the container inherits
 */
export function expectDescriptors(program: Program, inherited = 0): Program {
  const slots = new Set<unknown>()
  for (const steps of [program.host, program.stage, program.child])
    for (const step of steps) for (const name of newSlots[step.op] ?? []) slots.add(step.operands[name])
  const count = others + inherited + slots.size
  return { ...program, host: [undoable(op('expect_descriptors', { count }, 'RLIMIT_NOFILE')), ...program.host] }
}
