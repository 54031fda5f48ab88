import { op, type Program, undoable } from '../program/program.ts'

/**
 * Compiles the program that sends `message` to CRIU and waits for its end. The steps have no undo: CRIU cleans up after
 * itself when it fails.
 */
export function compileCheckpoint(criu: string, message: Uint8Array): Program {
  const steps = [
    op('criu_start', { to: 'criu', path: criu }),
    op('criu_send', { socket: 'criu', message }),
    op('criu_wait', { terminal: 'terminal', socket: 'criu', script: null }),
  ]
  return { host: steps.map((step) => undoable(step)), stage: [], child: [] }
}
