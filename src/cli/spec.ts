import type { Command } from 'commander'
import { withTerminalOption } from './bundle-options.ts'
import { compiledAhead } from './compiled-ahead.ts'
import { type CommandContext, newCommand } from './context.ts'

interface SpecFlags {
  readonly bundle: string
  readonly rootless?: boolean
  readonly tty?: boolean
}

/** `spec`: the default config.json. */
export function specCommand(context: CommandContext): Command {
  const command = newCommand(context, {
    name: 'spec',
    summary: 'write a default config.json, which runs "sh"',
    usage: '[command options]',
    description: `Writes the file config.json of a bundle, in place of the one that is there. What it
runs, and how, is then yours to edit.

EXAMPLES:
    bundle-tool spec -b bundle
    bundle-tool spec --rootless`,
  })
  return withTerminalOption(command)
    .option('-b, --bundle <directory>', 'the bundle (default: the current directory)', '.')
    .option('--rootless', 'write one that an unprivileged user can run')
    .action(async ({ bundle, rootless, tty }: SpecFlags) => {
      const { spec } = await import('../verbs/container/spec.ts')
      await spec({ bundle, rootless, terminal: tty })
      await compiledAhead(context, bundle)
    })
}
