import type { CommandContext } from './context.ts'
import { rootOf } from './globals.ts'
import { describeUnexpected } from './unexpected-error.ts'

/**
 * Keeps the programs that `run` and `create` will want of a bundle that a command has made. The bundle is good without
 * them: an error that nobody expects is a warning.
 */
export async function compiledAhead(context: CommandContext, bundle: string): Promise<void> {
  const { compileAhead } = await import('../verbs/container/compile-ahead.ts')
  try {
    await compileAhead({ bundle, root: rootOf(context) })
  } catch (error) {
    context.log('warning', describeUnexpected(`${bundle} is made, and its programs are not kept`, error))
  }
}
