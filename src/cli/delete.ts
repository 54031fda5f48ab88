import type { Command } from 'commander'
import { withLifecycleOptions } from './container-options.ts'
import { type CommandContext, newCommand } from './context.ts'
import { rootOf } from './globals.ts'

/** `delete`: what a container has left on the host. */
export function deleteCommand(context: CommandContext): Command {
  const command = newCommand(context, {
    name: 'delete',
    usage: '[command options] <container-id>',
    description: `Removes the cgroup and the state of a container. The bundle stays as it is.

With --regex, of each container whose ID matches; one that cannot be deleted is
a warning, and the next one is.

EXAMPLES:
    bundle-tool delete demo
    bundle-tool delete --force demo
    bundle-tool delete --regex '^test-'`,
  })
  return withLifecycleOptions(command, 'delete')
    .argument('<container-id>')
    .action(async (id: string, { force = false, regex = false }: { force?: boolean; regex?: boolean }) => {
      const options = { root: rootOf(context), force, warn: (message: string) => context.log('warning', message) }
      if (regex) {
        const { removeMatching } = await import('../verbs/container/delete-matching.ts')
        return await removeMatching({ ...options, pattern: id })
      }
      const { remove } = await import('../verbs/container/delete.ts')
      await remove({ ...options, id })
    })
}
