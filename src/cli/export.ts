import type { Command } from 'commander'
import { OciError } from '../errors.ts'
import { type CommandContext, newCommand, warner } from './context.ts'

/** `export`: the rootfs of a bundle as an archive. */
export function exportCommand(context: CommandContext): Command {
  const command = newCommand(context, {
    name: 'export',
    summary: 'write the rootfs of a bundle as a tar archive',
    usage: '[command options] <bundle>',
    description: `Writes the files of a bundle to standard output, or to a file, as "docker export"
does: owners, modes, times, links, devices and extended attributes. The same
files give the same bytes.

EXAMPLES:
    bundle-tool export bundle -o rootfs.tar
    bundle-tool export bundle | docker import - demo`,
  })
  return command
    .argument('<bundle>')
    .option('-o, --output <file>', 'the file to make')
    .action(async (bundle: string, { output }: { output?: string }) => {
      const { exportRootfs, exportToFile } = await import('../export.ts')
      const { stdout, writeBytes, interruption } = context.io
      if (output === undefined && stdout.isTTY) {
        throw new OciError('ERR_USAGE', 'an archive is nothing for a terminal', { hint: 'name a file with --output' })
      }
      const options = { bundle, signal: interruption(), warn: warner(context) }
      if (output !== undefined) return exportToFile(output, options)
      for await (const piece of exportRootfs(options)) await writeBytes(piece)
    })
}
