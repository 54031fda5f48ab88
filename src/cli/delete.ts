import type { Command } from 'commander'
import { type CommandContext, newCommand } from './context.ts'
import { rootOf } from './globals.ts'

/** `delete`: what a container has left on the host. */
export function deleteCommand(context: CommandContext): Command {
  return newCommand(context, {
    name: 'delete',
    summary: 'remove a container that has stopped, or was never started',
    usage: '[command options] <container-id>',
    description: `Removes the cgroup and the state of a container. The bundle stays as it is.

EXAMPLES:
    bundle-tool delete demo
    bundle-tool delete --force demo`,
  })
    .argument('<container-id>')
    .option('-f, --force', 'kill the container first if it runs; a container that does not exist is no error')
    .action(async (id: string, { force = false }: { force?: boolean }) => {
      const { remove } = await import('../verbs/container/delete.ts')
      await remove({ root: rootOf(context), id, force, warn: (message) => context.log('warning', message) })
    })
}
