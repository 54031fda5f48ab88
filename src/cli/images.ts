import type { Command } from 'commander'
import { formatBytes, formatColumns } from './columns.ts'
import { type CommandContext, newCommand } from './context.ts'
import { type StoreFlags, withStoreOption } from './store-option.ts'

/** `images`: what has been pulled. */
export function imagesCommand(context: CommandContext): Command {
  const command = newCommand(context, {
    name: 'images',
    summary: 'list the images that have been pulled',
    usage: '[command options]',
    description: `Lists what the store has, the newest first.

EXAMPLES:
    bundle-tool images
    bundle-tool images --json`,
  })
  return withStoreOption(command)
    .option('--json', 'print a JSON array')
    .action(async ({ store, json }: StoreFlags & { readonly json?: boolean }) => {
      const { images } = await import('../verbs/image/images.ts')
      const { env, stdout } = context.io
      const list = await images({ store, env })
      const rows = list.map(({ name, digest, platform = '', size }) => [name, digest, platform, formatBytes(size)])
      const header = ['NAME', 'DIGEST', 'PLATFORM', 'SIZE']
      stdout.write(json ? `${JSON.stringify(list)}\n` : formatColumns(header, rows))
    })
}
