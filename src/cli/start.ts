import type { Command } from 'commander'
import { type CommandContext, newCommand } from './context.ts'
import { rootOf } from './globals.ts'

/** `start`: the program of a created container. */
export function startCommand(context: CommandContext): Command {
  return newCommand(context, {
    name: 'start',
    usage: '<container-id>',
    description: `Lets a container that "bundle-tool create" has set up execute its program.

EXAMPLES:
    bundle-tool start demo
    bundle-tool --root /run/containers start demo`,
  })
    .argument('<container-id>')
    .action(async (id: string) => {
      const { start } = await import('../verbs/container/start.ts')
      await start({ root: rootOf(context), id, notifySocket: context.io.env.NOTIFY_SOCKET || undefined })
    })
}
