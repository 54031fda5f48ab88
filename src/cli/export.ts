import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { type CommandContext, newCommand, warner } from './context.ts'
import { nothingForTerminal } from './nothing-for-terminal.ts'
import { type RegistryFlags, registryOptions, withForeignLayers, withRegistryOptions } from './registry-options.ts'
import { type StoreFlags, withStoreOption } from './store-option.ts'

/** `export`: the rootfs of a bundle as an archive. */
export function exportCommand(context: CommandContext): Command {
  const command = newCommand(context, {
    name: 'export',
    usage: '[command options] <bundle>|<image>',
    description: `Writes the files of a bundle to standard output, or to a file, as "docker export"
does: owners, modes, times, links, devices and extended attributes. The same
files give the same bytes. What is no bundle is an image, as "bundle-tool pull" or
"bundle-tool unpack" name it, and is unpacked below $TMPDIR for the time being.

EXAMPLES:
    bundle-tool export bundle -o rootfs.tar
    bundle-tool export bundle | docker import - demo
    bundle-tool export alpine:3.20 -o rootfs.tar`,
  })
  return withStoreOption(withForeignLayers(withRegistryOptions(command)))
    .argument('<bundle>')
    .option('-o, --output <file>', 'the file to make; "-" is standard output, which is the default')
    .option('--platform <os/arch>', 'which image of several, as os/arch or os/arch/variant (default: for this host)')
    .option('--policy <file>', "which images may be used (default: containers' policy.json)")
    .action(async (name: string, flags: ExportFlags) => {
      const { exportRootfs, exportToFile } = await import('../verbs/image/export.ts')
      const { stdout, writeBytes, interruption } = context.io
      const { platform, policy, store } = flags
      const output = flags.output === '-' ? undefined : flags.output
      if (output === undefined && stdout.isTTY) throw nothingForTerminal('name a file with --output')
      const options = { signal: interruption(), warn: warner(context) }
      const isBundle = ['config.json', 'rootfs'].some((member) => existsSync(join(name, member)))
      const archive = isBundle
        ? exportRootfs({ bundle: name, ...options })
        : (await import('../verbs/image/export-image.ts')).exportImage(name, {
            ...registryOptions(context, flags),
            ...options,
            platform,
            policy,
            store,
          })
      if (output !== undefined) return exportToFile(output, archive)
      for await (const piece of archive) await writeBytes(piece)
    })
}

interface ExportFlags extends RegistryFlags, StoreFlags {
  readonly output?: string
  readonly platform?: string
  readonly policy?: string
}
