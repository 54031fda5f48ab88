import type { Command } from 'commander'
import { printable } from '../text.ts'
import { formatBytes } from './columns.ts'
import { type CommandContext, newCommand } from './context.ts'
import { withFormat } from './format.ts'
import { type StoreFlags, withStoreOption } from './store-option.ts'

/** `verify`: the store against its digests. */
export function verifyCommand(context: CommandContext): Command {
  const command = newCommand(context, {
    name: 'verify',
    usage: '[command options]',
    description: `Reads every blob of the store, and prints what is damaged and what is missing, one a
line. Fails if there is any. A damaged blob is fetched anew when it is needed.

EXAMPLES:
    bundle-tool verify
    bundle-tool verify --json`,
  })
  const json = 'a JSON object with "blobs", "bytes" and "problems"'
  return withFormat(withStoreOption(command), { plain: 'text', json }).action(async ({ store }: StoreFlags) => {
    const { verify } = await import('../verbs/image/verify.ts')
    const { env, stderr, interruption } = context.io
    const result = await verify({ store, env, signal: interruption() })
    context.print(result, ({ problems }) => problems.map((problem) => `${printable(problem)}\n`).join(''))
    const { blobs, bytes, problems } = result
    if (!context.isJson()) stderr.write(`${blobs} blobs, ${formatBytes(bytes)}, ${problems.length} problems\n`)
    if (problems.length > 0) context.exit(1)
  })
}
