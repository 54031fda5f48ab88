import { operandsOf } from '../program/encode.ts'
import { op, type Program, undoable } from '../program/program.ts'

/**
 * Descriptors that a program has beside its slots: 0 to 2; signals, reports, the caller's directory and a pair of sockets
 * to the other process; three pipes to the relay; a hook's input and output.
 */
const others = 3 + 5 + 6 + 3

/**
 * The same program with a first step that fails where RLIMIT_NOFILE does not allow all descriptors that the program may open at
 * once: later, what has been made could not be taken back for want of descriptors.
 *
 * @param inherited how many descriptors from 3 on the container inherits
 */
export function expectDescriptors(program: Program, inherited = 0): Program {
  const slots = new Set<unknown>()
  for (const step of [...program.host, ...program.stage, ...program.child]) {
    for (const [name, kind] of operandsOf(step.op)) if (kind === 'newSlot') slots.add(step.operands[name])
  }
  const count = others + inherited + slots.size
  return { ...program, host: [undoable(op('expect_descriptors', { count }, 'RLIMIT_NOFILE')), ...program.host] }
}
