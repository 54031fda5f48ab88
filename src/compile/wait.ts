import { op, type Program, undoable } from '../program/program.ts'

/** Compiles the program that waits for the end of a container's first process and reports its exit status. */
export function compileWait({ pid, startTime }: { readonly pid: number; readonly startTime: number }): Program {
  return { host: [undoable(op('wait_exit', { pid, startTime }))], stage: [], child: [] }
}
