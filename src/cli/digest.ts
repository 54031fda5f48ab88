import type { Command } from 'commander'
import { type CommandContext, newCommand } from './context.ts'
import { withFormat } from './format.ts'
import { type RegistryFlags, registryOptions, withRegistryOptions } from './registry-options.ts'

/** `digest`: what a name stands for. */
export function digestCommand(context: CommandContext): Command {
  const command = newCommand(context, {
    name: 'digest',
    usage: '[command options] <image>',
    description: `Prints the digest of what a name stands for: of the index, where there are images
for several platforms. IMAGE is one of a registry, or any place that
"bundle-tool copy" reads from.

EXAMPLES:
    bundle-tool digest alpine:3.20
    bundle-tool digest --platform linux/arm64 alpine:3.20`,
  })
  const json = 'a JSON object with "name", "digest" and "mediaType"'
  return withFormat(withRegistryOptions(command), { plain: 'text', json })
    .argument('<image>')
    .option('--platform <os/arch>', 'the digest of the image for this platform, as os/arch or os/arch/variant')
    .action(async (image: string, flags: RegistryFlags & { readonly platform?: string }) => {
      const { digest } = await import('../verbs/image/digest.ts')
      const { stdin, interruption } = context.io
      const options = { ...registryOptions(context, flags), stdin, signal: interruption() }
      context.print(await digest(image, { ...options, platform: flags.platform }), (found) => `${found.digest}\n`)
    })
}
