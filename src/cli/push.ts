import type { Command } from 'commander'
import { type CommandContext, newCommand, warner } from './context.ts'
import { type CopyFlags, withCopyOptions, withCopyProgress } from './copy.ts'
import { registryOptions } from './registry-options.ts'
import { type StoreFlags, withStoreOption } from './store-option.ts'

/** `push`: an image to a registry. */
export function pushCommand(context: CommandContext): Command {
  const command = newCommand(context, {
    name: 'push',
    usage: '[command options] <image>',
    description: `Copies what has been pulled under this name, or what --from names, to the registry
of the name. Prints the digest.

EXAMPLES:
    bundle-tool push --from oci:images:app localhost:5000/app:1
    bundle-tool push --from alpine:3.20 --all localhost:5000/alpine:3.20`,
  })
  return withStoreOption(withCopyOptions(command))
    .argument('<image>')
    .option('--from <source>', 'what to push, as "bundle-tool copy" names it')
    .action(async (image: string, flags: CopyFlags & StoreFlags & { readonly from?: string }) => {
      const { push } = await import('../verbs/image/push.ts')
      const { all, referrers, platform, policy, from, store } = flags
      const { stdin, interruption } = context.io
      const signal = interruption()
      const result = await withCopyProgress(context, flags, (reports) =>
        push(image, {
          ...registryOptions(context, flags),
          ...reports,
          all,
          referrers,
          platform,
          policy,
          stdin,
          from,
          store,
          signal,
          warn: warner(context),
        }),
      )
      context.print(result, ({ digest }) => `${digest}\n`)
    })
}
