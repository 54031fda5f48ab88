import { constants } from 'node:os'
import { untilAborted } from '../../runtime/abort.ts'
import { sendSignal } from '../../runtime/cgroup/cgroup.ts'
import { compileExec, type ExecCall } from '../../runtime/compile-exec.ts'
import { executeCall, withoutRepeats } from '../../runtime/execute-call.ts'
import type { OwnOptions } from '../../runtime/launch.ts'
import { childrenOf } from '../../runtime/proc.ts'
import type { RunProgramOptions } from '../../runtime/runner.ts'

export interface ExecOptions extends ExecCall, Pick<RunProgramOptions, 'stdio' | 'forwardSignals'> {
  /** Kills the process when it is aborted. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Runs one more process in a container, and unless detached waits for its end.
 *
 * @returns its exit code, 128 + the signal that ended it, or 0 when detached
 * @throws OciError `ERR_COMMAND_NOT_FOUND`, `ERR_SYSCALL` ..., and as `compileExec`; the reason of `signal` when that is aborted
 */
export async function exec({ signal, ...options }: ExecOptions & OwnOptions): Promise<number> {
  const { reports, handOver, detach, stdio, forwardSignals = false, endsWithCaller } = options
  const log = reports === undefined ? options.log : withoutRepeats(options.log)
  const compiled = await compileExec({ ...options, log })
  const outcome = await untilAborted(signal, () =>
    executeCall(compiled, {
      forwardSignals,
      stdio,
      drain: !detach,
      abort: signal && { signal, kill: killChildren },
      endsWithCaller,
      handOver,
      executed: reports && { reports, code: 0 },
      begins: 'setns_init',
      log: options.log,
      onLeftover: (message) => options.log?.('warning', message),
    }),
  )
  return outcome.kind === 'exited' ? outcome.status : 0
}

/** The runner of an exec has started nothing but its process, and what brings that into the container. */
function killChildren(runner: number): void {
  for (const child of childrenOf(runner)) sendSignal(child, constants.signals.SIGKILL)
}
