import type { Command } from 'commander'
import { type ConfigFlags, changesOf, withConfigOptions } from './config-options.ts'
import { type CommandContext, newCommand } from './context.ts'

interface SpecFlags {
  readonly bundle: string
  readonly rootless?: boolean
}

/** `spec`: the default config.json. */
export function specCommand(context: CommandContext): Command {
  const command = newCommand(context, {
    name: 'spec',
    usage: '[command options] [-- <command> [arguments...]]',
    description: `Writes the file config.json of a bundle, in place of the one that is there. What it
runs, and how, is then yours to edit, or to change by "config" and its flags.

EXAMPLES:
    bundle-tool spec -b bundle
    bundle-tool spec --rootless`,
  })
  return withConfigOptions(command)
    .option('-b, --bundle <directory>', 'the bundle (default: the current directory)', '.')
    .option('--rootless', 'write one that an unprivileged user can run')
    .action(async (words: readonly string[], { bundle, rootless, ...flags }: SpecFlags & ConfigFlags) => {
      const { spec } = await import('../verbs/container/spec.ts')
      await spec({ bundle, rootless, changes: changesOf(flags, words, context.args), env: context.io.env })
    })
}
