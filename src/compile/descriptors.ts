import { operandsOf } from '../program/encode.ts'
import { op, type Program, undoable } from '../program/program.ts'

/**
 * The number of descriptors that a program may have open beside its slots: 0 to 2; signals, reports, the caller's directory
 * and a pair of sockets to the other process; three pipes to the relay; a hook's input, and the pipes of its two outputs.
 */
const others = 3 + 5 + 6 + 5

/**
 * Adds a first step that fails unless RLIMIT_NOFILE allows all descriptors that the program may open at once: a failure for
 * lack of descriptors after other steps could not be undone.
 *
 * @param inherited the number of descriptors from 3 on that the container inherits
 */
export function expectDescriptors(program: Program, inherited = 0): Program {
  const slots = new Set<unknown>()
  for (const step of [...program.host, ...program.stage, ...program.child]) {
    for (const [name, kind] of operandsOf(step.op)) if (kind === 'newSlot') slots.add(step.operands[name])
  }
  const count = others + inherited + slots.size
  return { ...program, host: [undoable(op('expect_descriptors', { count }, 'RLIMIT_NOFILE')), ...program.host] }
}
