import type { Command } from 'commander'
import { type CommandContext, newCommand } from './context.ts'
import { withFormat } from './format.ts'
import { type StoreFlags, withStoreOption } from './store-option.ts'

/** `tag`: a further name of an image that has been pulled. */
export function tagCommand(context: CommandContext): Command {
  const command = newCommand(context, {
    name: 'tag',
    usage: '[command options] <image> <name>',
    description: `Gives an image of the store a further name, under which "bundle-tool push" finds
it. An image that had the name loses it. In registries and layouts, copying an
image to another tag does the same: its layers are there already.

EXAMPLES:
    bundle-tool tag alpine:3.20 localhost:5000/alpine:3.20
    bundle-tool tag alpine:3.20 base`,
  })
  return withFormat(withStoreOption(command), { plain: 'text', json: 'a JSON object with "name" and "digest"' })
    .argument('<image>', 'its name, or the digest of its manifest')
    .argument('<name>')
    .action(async (image: string, name: string, { store }: StoreFlags) => {
      const { tag } = await import('../verbs/image/tag.ts')
      context.print(await tag(image, name, { store, env: context.io.env }), () => '')
    })
}
