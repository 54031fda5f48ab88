import type { Command } from 'commander'
import type { PruneResult } from '../verbs/image/prune.ts'
import { isDoneWithTrees } from './bundle-options.ts'
import { formatBytes } from './columns.ts'
import { type CommandContext, newCommand } from './context.ts'
import { withFormat } from './format.ts'
import { type StoreFlags, withStoreOption } from './store-option.ts'

/** `prune`: what no image needs, gone. */
export function pruneCommand(context: CommandContext): Command {
  const command = newCommand(context, {
    name: 'prune',
    usage: '[command options]',
    description: `Removes blobs that belong to no image, and what earlier pulls left unfinished.
Prints the digests of what is gone.

EXAMPLES:
    bundle-tool prune
    bundle-tool prune --store /srv/images`,
  })
  return withFormat(withStoreOption(command), {
    plain: 'text',
    json: 'a JSON object with "removed" and "bytes"',
  }).action(async ({ store }: StoreFlags) => {
    if (await isDoneWithTrees(context, store)) return
    const { prune } = await import('../verbs/image/prune.ts')
    reportPrune(context, await prune({ store, env: context.io.env }))
  })
}

/** The text that `prune` and `rmi` print. */
export function reportPrune({ io, isJson, print }: CommandContext, result: PruneResult): void {
  print(result, ({ removed }) => removed.map((digest) => `${digest}\n`).join(''))
  if (!isJson()) io.stderr.write(`${formatBytes(result.bytes)} given back\n`)
}
