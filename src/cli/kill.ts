import type { Command } from 'commander'
import { withLifecycleOptions } from './container-options.ts'
import { type CommandContext, newCommand } from './context.ts'
import { rootOf } from './globals.ts'

/** `kill`: a signal to a container. */
export function killCommand(context: CommandContext): Command {
  const command = newCommand(context, {
    name: 'kill',
    usage: '[command options] <container-id> [signal]',
    description: `Sends a signal, by name with or without SIG or by number, to the first process of
a container.

The first process of a container ignores what it has no handler for, SIGKILL aside:
"bundle-tool stop" ends it whatever it does.

EXAMPLES:
    bundle-tool kill --wait demo KILL
    bundle-tool kill --all demo 15`,
  })
  return withLifecycleOptions(command, 'kill')
    .argument('<container-id>')
    .argument('[signal]')
    .action(async (id: string, signal: string | undefined, flags: { all?: boolean; wait?: boolean }) => {
      const { kill } = await import('../verbs/container/kill.ts')
      const { name, stderr } = context.io
      const hint = `hint: its first process ignores that: use "${name} stop ${id}", or "${name} kill ${id} KILL"\n`
      // For people: engines know what they do, and read what is written there.
      const onIgnored = stderr.isTTY ? () => void stderr.write(hint) : undefined
      await kill({ root: rootOf(context), id, signal, ...flags, onIgnored })
    })
}
