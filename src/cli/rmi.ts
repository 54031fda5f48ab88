import type { Command } from 'commander'
import { isDoneWithTrees } from './bundle-options.ts'
import { type CommandContext, newCommand } from './context.ts'
import { withFormat } from './format.ts'
import { reportPrune } from './prune.ts'
import { type StoreFlags, withStoreOption } from './store-option.ts'

/** `rmi`: an image that was pulled, gone. */
export function rmiCommand(context: CommandContext): Command {
  const command = newCommand(context, {
    name: 'rmi',
    summary: 'remove an image that has been pulled',
    usage: '[command options] <image>',
    description: `Removes an image from the store, and what no other image needs. Bundles that were
made of it stay. Prints the digests of what is gone.

EXAMPLES:
    bundle-tool rmi alpine:3.20
    bundle-tool rmi sha256:d6d0a0eb4d40ef96f2310ead734848b9c819bb97c9d846385c4aca1767186cd4`,
  })
  return withFormat(withStoreOption(command), { plain: 'text', json: 'a JSON object with "removed" and "bytes"' })
    .argument('<image>')
    .action(async (image: string, { store }: StoreFlags) => {
      if (await isDoneWithTrees(context, store)) return
      const { removeImage } = await import('../verbs/image/rmi.ts')
      reportPrune(context, await removeImage(image, { store, env: context.io.env }))
    })
}
