import type { Command } from 'commander'
import { OciError } from '../errors.ts'
import { type CommandContext, newCommand } from './context.ts'
import { rootOf } from './globals.ts'

/** `ps`: the processes of a container. */
export function psCommand(context: CommandContext): Command {
  return newCommand(context, {
    name: 'ps',
    summary: 'show the processes of a container',
    usage: '[command options] <container-id> [ps options]',
    description: `Shows what ps(1) says of the processes of a container; the options after the
container's ID are for ps (default: -ef).

EXAMPLES:
    bundle-tool ps demo -o pid,rss,comm -e
    bundle-tool ps --format json demo`,
  })
    .argument('<container-id>')
    .argument('[ps-options...]')
    .option('-f, --format <format>', 'table, or json for an array of process IDs (default: table)', 'table')
    .action(async (id: string, psArgs: readonly string[], { format }: { readonly format: string }) => {
      if (format !== 'table' && format !== 'json') throw new OciError('ERR_USAGE', `invalid format option "${format}"`)
      const { processes, processTable } = await import('../verbs/container/ps.ts')
      const container = { root: rootOf(context), id }
      context.io.stdout.write(
        format === 'json'
          ? `${JSON.stringify(await processes(container))}\n`
          : await processTable({ ...container, psArgs }),
      )
    })
}
