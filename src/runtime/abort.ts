/** How a runner is ended before its time. */
export interface Abort {
  readonly signal: AbortSignal
  /** Kills what the runner of this process ID has started and waits for; called again and again until the runner has ended. */
  readonly kill: (runner: number) => void
}

/** A process that executes a program. */
interface Runner {
  /** Undefined while it is not known. */
  pid(): number | undefined
  /** Asks it, by `endSignal`, to take back what it has done so far, or to kill the container where that runs already. */
  stop(): void
}

const againMs = 5

/**
 * Ends a runner, and what it runs, once the signal is aborted.
 *
 * @returns what ends this watch
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
 * Does `work`, which an abort of the signal ends.
 *
 * @throws the signal's reason, whatever the work comes to after the abort
 */
export async function untilAborted<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  signal?.throwIfAborted()
  try {
    return await work()
  } finally {
    signal?.throwIfAborted()
  }
}
