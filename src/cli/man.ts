import type { Command } from 'commander'
import { type CommandContext, newCommand } from './context.ts'
import { manualPage } from './manual-page.ts'
import { UnknownCommand } from './unknown-command.ts'
import { visibleCommands } from './visible-commands.ts'

/** `man`: manual pages, made of what `--help` says. */
export function manCommand(context: CommandContext): Command {
  return newCommand(context, {
    name: 'man',
    usage: '[command]',
    description: `Prints the manual page of the tool or of a command, as man(1) reads it.

EXAMPLES:
    bundle-tool man | man -l -
    bundle-tool man run > bundle-tool-run.1`,
  })
    .argument('[command]')
    .action((name: string | undefined, _options: unknown, command: Command) => {
      const program = command.parent ?? command
      const all = visibleCommands(program)
      const found = name === undefined ? program : all.find((one) => one.name() === name)
      if (found === undefined)
        throw new UnknownCommand(
          name ?? '',
          context.io.name,
          all.map((one) => one.name()),
        )
      context.io.stdout.write(manualPage(found))
    })
}
