import type { Command } from 'commander'
import { isDoneWithTrees } from './bundle-options.ts'
import { type CommandContext, newCommand } from './context.ts'
import { withFormat } from './format.ts'
import { reportPrune } from './prune.ts'
import { type RegistryFlags, registryOptions, withRegistryOptions } from './registry-options.ts'
import { type StoreFlags, withStoreOption } from './store-option.ts'

interface RmiFlags extends StoreFlags, RegistryFlags {
  readonly remote?: boolean
}

/** `rmi`: an image that was pulled, or one of a registry, gone. */
export function rmiCommand(context: CommandContext): Command {
  const command = newCommand(context, {
    name: 'rmi',
    usage: '[command options] <image>',
    description: `Removes an image from the store, and what no other image needs. Bundles that were
made of it stay. Prints the digests of what is gone.

With --remote the image is deleted in its registry, and the store is left alone: a
tag, or with NAME@DIGEST the manifest and every tag of it. It prints the full name.

EXAMPLES:
    bundle-tool rmi alpine:3.20
    bundle-tool rmi sha256:d6d0a0eb4d40ef96f2310ead734848b9c819bb97c9d846385c4aca1767186cd4
    bundle-tool rmi --remote localhost:5000/app:1`,
  })
  return withFormat(withRegistryOptions(withStoreOption(command)), {
    plain: 'text',
    json: 'a JSON object with "removed" and "bytes"',
  })
    .argument('<image>')
    .option('--remote', 'delete a tag or a manifest in a registry')
    .action(async (image: string, { store, remote, ...flags }: RmiFlags) => {
      if (remote) {
        const { deleteImage } = await import('../verbs/image/delete-image.ts')
        const options = { ...registryOptions(context, flags), signal: context.io.interruption() }
        const { reference } = await deleteImage(image, options)
        return context.print({ removed: [reference], bytes: 0 }, () => `${reference}\n`)
      }
      if (await isDoneWithTrees(context, store)) return
      const { removeImage } = await import('../verbs/image/rmi.ts')
      reportPrune(context, await removeImage(image, { store, env: context.io.env }))
    })
}
