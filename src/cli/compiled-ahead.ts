import type { CommandContext } from './context.ts'
import { rootOf } from './globals.ts'

/** Keeps the programs that `run` and `create` will want of a bundle that a command has made. */
export async function compiledAhead(context: CommandContext, bundle: string): Promise<void> {
  const { compileAhead } = await import('../compile-ahead.ts')
  await compileAhead({ bundle, root: rootOf(context) })
}
