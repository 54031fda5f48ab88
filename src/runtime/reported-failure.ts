import type { Step } from '../program/program.ts'

/** The runner's report of a failed step. */
export interface Failure {
  readonly step: number
  readonly error: number
  /** Number of the system call that failed; -1 for an error that the step found without one. */
  readonly syscall: number
  readonly pid: number
  /** Wait status (wait4(2)) of a helper, such as a hook, that failed. */
  readonly status: number
  /** Wait status of the new process plus one, if it had ended before it was killed for the failure; else 0. */
  readonly end: number
  /** Output of a failed helper. */
  readonly detail: string
}

/** The text of an operand, with registers by their names; '' for another kind of operand. */
export function textOf(step: Step, operand: string): string {
  const value = step.operands[operand]
  if (typeof value === 'string') return value
  if (!Array.isArray(value)) return ''
  return value.map((piece) => (typeof piece === 'string' ? piece : `{${piece.register}}`)).join('')
}
