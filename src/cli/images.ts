import type { Command } from 'commander'
import type { StoredImage } from '../verbs/image/images.ts'
import { formatBytes, formatColumns } from './columns.ts'
import { type CommandContext, newCommand } from './context.ts'
import { withFormat } from './format.ts'
import { type StoreFlags, withStoreOption } from './store-option.ts'

/** `images`: what has been pulled. */
export function imagesCommand(context: CommandContext): Command {
  const command = newCommand(context, {
    name: 'images',
    usage: '[command options]',
    description: `Lists what the store has, the newest first.

EXAMPLES:
    bundle-tool images
    bundle-tool images --json`,
  })
  return withFormat(withStoreOption(command), { plain: 'table', json: 'a JSON array of images' }).action(
    async ({ store }: StoreFlags) => {
      const { images } = await import('../verbs/image/images.ts')
      context.print(await images({ store, env: context.io.env }), formatImages)
    },
  )
}

function formatImages(images: readonly StoredImage[]): string {
  const rows = images.map(({ name, digest, platform = '', size }) => [name, digest, platform, formatBytes(size)])
  return formatColumns(['NAME', 'DIGEST', 'PLATFORM', 'SIZE'], rows)
}
