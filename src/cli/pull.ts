import type { Command } from 'commander'
import { OciError } from '../errors.ts'
import {
  type BundleFlags,
  bundleOptions,
  isDoneInNamespace,
  withBundleOptions,
  withProgress,
} from './bundle-options.ts'
import { compiledAhead } from './compiled-ahead.ts'
import { type ConfigFlags, changesOf, withConfigOptions } from './config-options.ts'
import { type CommandContext, newCommand, warner } from './context.ts'
import { tellNetwork } from './network-line.ts'
import { type RegistryFlags, registryOptions, withForeignLayers, withRegistryOptions } from './registry-options.ts'
import { type StoreFlags, withStoreOption } from './store-option.ts'

/** `pull`: a bundle from a registry. */
export function pullCommand(context: CommandContext): Command {
  const command = newCommand(context, {
    name: 'pull',
    usage: '[command options] <image> [-- <command> [arguments...]]',
    description: `Fetches an image, verifies it, and makes a bundle of it: its files below "rootfs",
and a "config.json" that runs it. Layers are kept and not fetched again. Prints
the full name and the digest of the image. What it runs, and how, can be changed
by flags as docker's and podman's, and again later by "config".

EXAMPLES:
    bundle-tool pull alpine:3.20 --out bundle
    bundle-tool pull --platform linux/arm64 quay.io/centos/centos:stream9 --out bundle`,
  })
  const image = withStoreOption(withForeignLayers(withRegistryOptions(withBundleOptions(command)))).argument('<image>')
  return withConfigOptions(image)
    .option(
      '--keep-unpacked',
      'keep a copy of the files in the store too, which makes the next bundles of the image fast',
    )
    .action(async (image: string, words: readonly string[], flags: PullFlags) => {
      const changes = changesOf(flags, words, context.args)
      if (await isDoneInNamespace(context, flags)) return compiledAhead(context, flags.out)
      const { pull } = await import('../verbs/image/pull.ts')
      const result = await withProgress(context, flags, (reports) =>
        goingOn(
          pull(image, {
            ...bundleOptions(flags),
            ...registryOptions(context, flags),
            ...reports,
            store: flags.store,
            changes,
            keepUnpacked: flags.keepUnpacked,
            warn: warner(context),
          }),
        ),
      )
      await compiledAhead(context, result.bundle)
      tellNetwork(context, flags, changes)
      context.print(result, ({ reference, digest }) =>
        reference.includes('@') ? `${reference}\n` : `${reference}@${digest}\n`,
      )
    })
}

type PullFlags = BundleFlags & RegistryFlags & StoreFlags & KeepFlag & ConfigFlags

interface KeepFlag {
  readonly keepUnpacked?: boolean
}

/** Says what becomes of a pull that was stopped. */
async function goingOn<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (!(error instanceof OciError) || error.code !== 'ERR_INTERRUPTED') throw error
    const hint = 'what has been fetched is kept: run the same command again to go on'
    // Which layer was being applied at that moment is of no interest.
    throw new OciError(error.code, error.message.replace(/^layer \S+: /, ''), { hint, cause: error })
  }
}
