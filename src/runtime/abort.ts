/** The means to end a runner early. */
export interface Abort {
  readonly signal: AbortSignal
  /**
   * Kills the processes that the runner with this process ID has started and waits for; called repeatedly until the
   * runner has ended.
   */
  readonly kill: (runner: number) => void
}

/** A process that executes a program. */
interface Runner {
  /** The process ID; undefined while it is not known. */
  pid(): number | undefined
  /** Asks the process, by `endSignal`, to undo its steps so far, or to kill the container when that runs already. */
  stop(): void
}

const againMs = 5

/**
 * Ends a runner, and the processes it runs, once the signal is aborted.
 *
 * @returns a function that stops watching the signal
 */
export function endOnAbort({ signal, kill }: Abort, runner: Runner): () => void {
  let timer: NodeJS.Timeout | undefined
  const killAgain = (): void => {
    const pid = runner.pid()
    if (pid !== undefined) kill(pid)
    timer = setTimeout(killAgain, againMs)
  }
  const end = (): void => {
    runner.stop()
    killAgain()
  }
  if (signal.aborted) end()
  else signal.addEventListener('abort', end, { once: true })
  return () => {
    signal.removeEventListener('abort', end)
    clearTimeout(timer)
  }
}

/**
 * Runs `work`, which an abort of the signal ends.
 * @throws the signal's reason after an abort, whatever the result of `work`
 */
export async function untilAborted<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  signal?.throwIfAborted()
  try {
    return await work()
  } finally {
    signal?.throwIfAborted()
  }
}
