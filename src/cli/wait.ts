import type { Command } from 'commander'
import { type CommandContext, newCommand } from './context.ts'
import { withFormat } from './format.ts'
import { rootOf } from './globals.ts'

/** `wait`: the end of a container, and how it ended. */
export function waitCommand(context: CommandContext): Command {
  const command = newCommand(context, {
    name: 'wait',
    usage: '[command options] <container-id>',
    description: `Waits for the end of a container, prints the exit code of its first process,
or 128 + the number of the signal that ended it, and exits with that. The
container stays, stopped, until "bundle-tool delete".

The kernel tells how a process has ended from Linux 6.15 on, if the wait
began before. Where it does not, nothing is printed, and an error says so.

EXAMPLES:
    bundle-tool wait demo
    bundle-tool start demo && bundle-tool wait demo`,
  })
  return withFormat(command, { plain: 'text', json: 'a JSON object with "id" and "status"' })
    .argument('<container-id>')
    .action(async (id: string) => {
      const { wait } = await import('../verbs/container/wait.ts')
      const status = await wait({ root: rootOf(context), id })
      context.print({ id, status }, () => `${status}\n`)
      context.exit(status)
    })
}
