import type { Command } from 'commander'
import { createOptions } from './call-options.ts'
import { flagsOf, withContainerOptions } from './container-options.ts'
import { type CommandContext, newCommand } from './context.ts'

/** `create`: everything of a container but the start of its program. */
export function createCommand(context: CommandContext): Command {
  const command = newCommand(context, {
    name: 'create',
    usage: '[command options] <container-id>\n[command options] <bundle> <container-id>',
    description: `Sets up a container for a bundle. Its program starts with "bundle-tool start".

EXAMPLES:
    bundle-tool create -b bundle demo
    bundle-tool create --pid-file demo.pid bundle demo`,
  })
  return withContainerOptions(command, 'create').action(
    async (first: string, second: string | undefined, flags: Record<string, unknown>) => {
      const { create } = await import('../verbs/container/create.ts')
      await create(createOptions(context, [first, second], flagsOf('create', flags)))
    },
  )
}
