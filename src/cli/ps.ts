import type { Command } from 'commander'
import { type CommandContext, newCommand } from './context.ts'
import { withFormat } from './format.ts'
import { rootOf } from './globals.ts'

/** `ps`: the processes of a container. */
export function psCommand(context: CommandContext): Command {
  const command = newCommand(context, {
    name: 'ps',
    usage: '[command options] <container-id> [ps options]',
    description: `Shows what ps(1) says of the processes of a container; the options after the
container's ID are for ps (default: -ef).

EXAMPLES:
    bundle-tool ps demo -o pid,rss,comm -e
    bundle-tool ps --format json demo`,
  })
  return withFormat(command, { plain: 'table', json: 'a JSON array of process IDs', letter: 'f' })
    .argument('<container-id>')
    .argument('[ps-options...]')
    .action(async (id: string, psArgs: readonly string[]) => {
      const { processes, processTable } = await import('../verbs/container/ps.ts')
      const container = { root: rootOf(context), id }
      if (context.isJson()) context.print(await processes(container), () => '')
      else context.io.stdout.write(await processTable({ ...container, psArgs }))
    })
}
