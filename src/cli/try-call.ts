import { isatty } from 'node:tty'
import { tryVariables } from '../program/contract.ts'
import { absolutePath } from '../state-root.ts'

/** True where the caller sits at a terminal: a shell in the container then has one, too. */
export const hasTerminal = (): boolean => isatty(0) && isatty(1)

/**
 * All that decides what a `try` runs, but for files of the host, a line each: native/front/try.c composes the same text.
 *
 * @param args the whole command line
 * @returns undefined where a line would be two
 */
export function describeTry(args: readonly string[], env: NodeJS.ProcessEnv): string | undefined {
  const values = tryVariables.map((name) => (env[name] === undefined ? name : `${name}=${env[name]}`))
  const lines = ['try', hasTerminal() ? 'tty' : 'no-tty', ...values, absolutePath('.'), ...args]
  return lines.some((line) => line.includes('\n')) ? undefined : lines.join('\n')
}
