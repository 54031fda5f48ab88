import type { Command } from 'commander'
import { withLifecycleOptions } from './container-options.ts'
import { type CommandContext, newCommand } from './context.ts'
import { rootOf } from './globals.ts'

/** `delete`: what a container has left on the host. */
export function deleteCommand(context: CommandContext): Command {
  const command = newCommand(context, {
    name: 'delete',
    summary: 'remove a container that has stopped, or was never started',
    usage: '[command options] <container-id>',
    description: `Removes the cgroup and the state of a container. The bundle stays as it is.

EXAMPLES:
    bundle-tool delete demo
    bundle-tool delete --force demo`,
  })
  return withLifecycleOptions(command, 'delete')
    .argument('<container-id>')
    .action(async (id: string, { force = false }: { force?: boolean }) => {
      const { remove } = await import('../verbs/container/delete.ts')
      await remove({ root: rootOf(context), id, force, warn: (message) => context.log('warning', message) })
    })
}
