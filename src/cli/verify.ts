import type { Command } from 'commander'
import { printable } from '../text.ts'
import { formatBytes } from './columns.ts'
import { type CommandContext, newCommand } from './context.ts'
import { type StoreFlags, withStoreOption } from './store-option.ts'

/** `verify`: the store against its digests. */
export function verifyCommand(context: CommandContext): Command {
  const command = newCommand(context, {
    name: 'verify',
    summary: 'compare everything in the store with its digest',
    usage: '[command options]',
    description: `Reads every blob of the store, and prints what is damaged and what is missing, one a
line. Fails if there is any. A damaged blob is fetched anew when it is needed.

EXAMPLES:
    bundle-tool verify
    bundle-tool verify --json`,
  })
  return withStoreOption(command)
    .option('--json', 'print a JSON object with "blobs", "bytes" and "problems"')
    .action(async ({ store, json }: StoreFlags & { readonly json?: boolean }) => {
      const { verify } = await import('../verbs/image/verify.ts')
      const { env, stdout, stderr, interruption } = context.io
      const result = await verify({ store, env, signal: interruption() })
      stdout.write(
        json ? `${JSON.stringify(result)}\n` : result.problems.map((problem) => `${printable(problem)}\n`).join(''),
      )
      stderr.write(`${result.blobs} blobs, ${formatBytes(result.bytes)}, ${result.problems.length} problems\n`)
      if (result.problems.length > 0) context.exit(1)
    })
}
