import type { Program } from '../program/program.ts'
import type { Outcome } from './execute.ts'

type Log = ((level: 'debug', message: string) => void) | undefined

/**
 * Runs a program, and says at level debug how far it has come, in the phrases of runc's log, which people look for.
 *
 * @param begins the word of runc's for the container's side: `init`, or `setns_init` of a process that joins
 */
export async function withStages(
  program: Program,
  { log, begins }: { readonly log: Log; readonly begins: 'init' | 'setns_init' },
  run: () => Promise<Outcome>,
): Promise<Outcome> {
  const { host, stage, child } = program
  const steps = `${host.length} steps on the host, ${stage.length + child.length} in the container`
  log?.('debug', `nsexec container setup: ${steps}`)
  const outcome = await run()
  log?.('debug', 'child process in init(): all steps are done')
  if (begins === 'init') log?.('debug', 'init: closing the pipe to signal completion')
  else log?.('debug', 'setns_init: about to exec')
  return outcome
}
