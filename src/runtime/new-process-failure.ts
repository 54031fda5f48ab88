import { OciError } from '../errors.ts'
import type { AnyOperand, NumberedStep, Step } from '../program/program.ts'
import { type Failure, textOf } from './reported-failure.ts'

/**
 * True for a host step that fails when the new process has ended, since it communicates with that process or names it.
 * Failures of hooks and files are their own.
 */
export function needsNewProcess(step: Step): boolean {
  switch (step.op) {
    case 'clone':
    case 'sync_send':
    case 'sync_wait':
    case 'sync_within':
    case 'sync_closed':
    case 'receive_fd':
    case 'identify':
    case 'open_pidfd':
    case 'take_listener':
    case 'prlimit':
    case 'spawn_id_map':
      return true
    case 'send_fd':
      return step.operands.socket === null
    case 'spawn':
      return step.from === '/linux/cgroupsPath' // systemd, which is told the process
    case 'write_file':
      return (
        namesProcess(step.operands.path) ||
        (namesProcess(step.operands.content) && /\/(tasks|cgroup\.procs)$/.test(textOf(step, 'path')))
      )
    default:
      return namesProcess(step.operands.path)
  }
}

/** The error for a new process that ended without a report: killed from outside, in most cases for lack of memory. */
export function newProcessIsGone(steps: readonly NumberedStep[], { end, detail }: Failure): OciError {
  const status = end - 1
  const signal = status & 0x7f
  // The text of memory.events, or memory.oom_control on cgroup v1, which the program read before it removed the cgroup.
  if (/^oom_kill [1-9]/m.test(detail)) {
    return new OciError('ERR_SYSCALL', 'container init was OOM-killed (memory limit too low?)', {
      pointer: '/linux/resources/memory/limit',
      hint: 'raise the limit: the container needs more memory than that before its command runs',
    })
  }
  const makesContainer = steps.some(({ step }) => step.from === 'ID')
  const how = signal === 0 ? `exited with ${status >> 8}` : `was killed by signal ${signal}`
  return new OciError(
    'ERR_SYSCALL',
    `the ${makesContainer ? "container's first" : 'new'} process ${how} while it was being set up`,
    { hint: signal === 9 ? 'raise the memory limit if there is one: the container may have reached it' : undefined },
  )
}

function namesProcess(text: AnyOperand | undefined): boolean {
  return Array.isArray(text) && text.some((piece) => typeof piece === 'object' && piece.register === 'pid')
}
