import type { Command } from 'commander'
import { type BundleFlags, bundleOptions, withBundleOptions } from './bundle-options.ts'
import { type CommandContext, newCommand, warner } from './context.ts'
import { tuneForStreams } from './heap.ts'
import { showProgress } from './progress.ts'
import { type RegistryFlags, registryOptions, withRegistryOptions } from './registry-options.ts'
import { type StoreFlags, withStoreOption } from './store-option.ts'

/** `pull`: a bundle from a registry. */
export function pullCommand(context: CommandContext): Command {
  const command = newCommand(context, {
    name: 'pull',
    summary: 'make a bundle of an image in a registry',
    usage: '[command options] <image>',
    description: `Fetches an image, verifies it, and makes a bundle of it: its files below "rootfs",
and a "config.json" that runs it. Layers are kept and not fetched again. Prints
the full name and the digest of the image.

EXAMPLES:
    bundle-tool pull alpine:3.20 --out bundle
    bundle-tool pull --platform linux/arm64 quay.io/centos/centos:stream9 --out bundle`,
  })
  return withStoreOption(withRegistryOptions(withBundleOptions(command)))
    .argument('<image>')
    .action(async (image: string, flags: BundleFlags & RegistryFlags & StoreFlags) => {
      tuneForStreams()
      const { pull } = await import('../pull.ts')
      const { io } = context
      const progress = showProgress(io.stderr)
      const signal = io.interruption()
      try {
        const { reference, digest } = await pull(image, {
          ...bundleOptions(flags),
          ...registryOptions(context, flags),
          store: flags.store,
          signal,
          onProgress: progress.update,
          warn: warner(context),
        })
        io.stdout.write(`${reference.includes('@') ? reference : `${reference}@${digest}`}\n`)
      } finally {
        progress.end()
      }
    })
}
