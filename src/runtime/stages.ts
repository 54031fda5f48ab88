import type { Program } from '../program/program.ts'
import type { Outcome } from './execute.ts'

type Log = ((level: 'debug', message: string) => void) | undefined

/**
 * Runs a program, and logs its progress at level debug in the phrases of runc's log, which users search for.
 *
 * @param begins runc's word for the container's side: `init`, or `setns_init` for a process that joins
 */
export async function withRuncPhrases(
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
