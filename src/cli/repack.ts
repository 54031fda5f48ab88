import type { Command } from 'commander'
import { type CommandContext, newCommand, warner } from './context.ts'
import { withFormat } from './format.ts'

interface RepackFlags {
  readonly image: string
  readonly base?: string
  readonly change: readonly string[]
  readonly message?: string
  readonly store?: string
}

/** `repack`: an image of a bundle's changes. */
export function repackCommand(context: CommandContext): Command {
  const command = newCommand(context, {
    name: 'repack',
    usage: '[command options] --image oci:<directory>:<tag> <bundle>',
    description: `Compares the rootfs of a bundle with the image it was made of, and writes that
image with one more layer into an OCI image layout. Unpacking it gives the same
rootfs again. Prints the digest of the new image.

The image is the one that the bundle's file "image.json" names. It must be in the
layout or in the store of pulled images; another place can be named with --base.

EXAMPLES:
    bundle-tool repack bundle --image oci:images:demo
    bundle-tool repack bundle --image oci:images:demo --change 'CMD ["nginx"]'`,
  })
  const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value]
  const json = 'a JSON object with "image", "digest" and "layer"'
  return withFormat(command, { plain: 'text', json })
    .argument('<bundle>')
    .requiredOption('--image <name>', 'the image to make, as oci:<directory>:<tag>')
    .option('--base <name>', 'the image the bundle was made of, as oci:<directory>[:<tag>]')
    .option('-c, --change <instruction>', 'change the image config as a Dockerfile does; may be repeated', collect, [])
    .option('-m, --message <text>', "what the image's history says of the change")
    .option('--store <directory>', 'where pulled images are kept')
    .action(async (bundle: string, { image, base, change, message, store }: RepackFlags) => {
      const { repack } = await import('../verbs/image/repack.ts')
      const { env, interruption } = context.io
      const result = await repack({
        bundle,
        image,
        base,
        changes: change,
        message,
        store,
        env,
        signal: interruption(),
        warn: warner(context),
      })
      context.print(result, ({ digest }) => `${digest}\n`)
    })
}
