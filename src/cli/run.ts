import type { Command } from 'commander'
import { containerOptions } from './call-options.ts'
import { flagsOf, withContainerOptions } from './container-options.ts'
import { type CommandContext, newCommand } from './context.ts'

/** `run`: a container from its creation to its end; the exit code is the container's. */
export function runCommand(context: CommandContext): Command {
  const command = newCommand(context, {
    name: 'run',
    usage: '[command options] <container-id>\n[command options] <bundle> <container-id>',
    description: `Runs the program of a bundle in a container, and exits as it does: with its exit
code, or 128 + the number of the signal that ended it.

EXAMPLES:
    bundle-tool run -b bundle demo
    bundle-tool run --detach --pid-file demo.pid bundle demo`,
  })
  return withContainerOptions(command, 'run').action(
    async (first: string, second: string | undefined, flags: Record<string, unknown>) => {
      const { run } = await import('../verbs/container/run.ts')
      context.exit(await run(containerOptions(context, [first, second], flagsOf('run', flags))))
    },
  )
}
