import { op, type Program, undoable } from '../program/program.ts'

/** The program that has CRIU do what it is asked for. That it is stopped halfway is its own to take back. */
export function compileCheckpoint(criu: string, message: Uint8Array): Program {
  const steps = [
    op('criu_start', { to: 'criu', path: criu }),
    op('criu_send', { socket: 'criu', message }),
    op('criu_wait', { terminal: 'terminal', socket: 'criu', script: null }),
  ]
  return { host: steps.map((step) => undoable(step)), stage: [], child: [] }
}
