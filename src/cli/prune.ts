import type { Command } from 'commander'
import type { PruneResult } from '../verbs/image/prune.ts'
import { formatBytes } from './columns.ts'
import { type CommandContext, newCommand } from './context.ts'
import { type StoreFlags, withStoreOption } from './store-option.ts'

/** `prune`: what no image needs, gone. */
export function pruneCommand(context: CommandContext): Command {
  const command = newCommand(context, {
    name: 'prune',
    summary: 'remove what no image in the store needs',
    usage: '[command options]',
    description: `Removes blobs that belong to no image, and what earlier pulls left unfinished.
Prints the digests of what is gone.

EXAMPLES:
    bundle-tool prune
    bundle-tool prune --store /srv/images`,
  })
  return withStoreOption(command)
    .option('--json', 'print a JSON object with "removed" and "bytes"')
    .action(async ({ store, json }: StoreFlags & { readonly json?: boolean }) => {
      const { prune } = await import('../verbs/image/prune.ts')
      reportPrune(context, await prune({ store, env: context.io.env }), json)
    })
}

/** What `prune` and `rmi` print. */
export function reportPrune({ io }: CommandContext, result: PruneResult, json: boolean | undefined): void {
  if (json) {
    io.stdout.write(`${JSON.stringify(result)}\n`)
    return
  }
  io.stdout.write(result.removed.map((digest) => `${digest}\n`).join(''))
  io.stderr.write(`${formatBytes(result.bytes)} given back\n`)
}
