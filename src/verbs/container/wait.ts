import { compileWait } from '../../compile/wait.ts'
import { OciError } from '../../errors.ts'
import { untilAborted } from '../../runtime/abort.ts'
import { silent } from '../../runtime/execute.ts'
import { runProgram } from '../../runtime/runner.ts'
import { isCreating, readContainer } from '../../runtime/state-file.ts'
import { absoluteRoot } from '../../state-root.ts'
import { isBeingCreated } from './kill.ts'
import type { ContainerOptions } from './state.ts'

export interface WaitOptions extends ContainerOptions {
  /** Ends the wait; the container goes on. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Waits for the end of a container, whoever has started it; the container stays, stopped.
 *
 * The kernel tells how a process of somebody else's has ended from Linux 6.15 on, if the wait began before the end; on an
 * older one, as long as the process has not been reaped by its parent.
 * @returns the exit code of the container's process, or 128 + the signal that ended it
 * @throws OciError `ERR_EXIT_STATUS_UNKNOWN` the container has ended, and nobody knows how; `ERR_CONTAINER_NOT_FOUND`;
 *   `ERR_CONTAINER_STATUS` it is being created
 */
export async function wait({ root, id, signal }: WaitOptions): Promise<number> {
  const container = readContainer(absoluteRoot(root), id)
  if (isCreating(container)) throw isBeingCreated(id)
  if (container.init.pid === 0) throw neverCreated(id)
  const outcome = await untilAborted(signal, () =>
    runProgram(compileWait(container.init), {
      id: container.id,
      stdio: silent,
      endsWithCaller: true,
      abort: signal && { signal, kill: () => undefined },
    }),
  )
  if (outcome.kind !== 'exited') throw new Error(`a wait came to "${outcome.kind}"`)
  return outcome.status
}

/** A create that was killed leaves a container without a process, and so without a status. */
const neverCreated = (id: string): OciError =>
  new OciError('ERR_EXIT_STATUS_UNKNOWN', `container "${id}" was never created: what made it has been killed`, {
    hint: 'remove it with `bundle-tool delete`',
  })
