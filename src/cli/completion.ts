import { Argument, type Command } from 'commander'
import { completions } from './completions.ts'
import { type CommandContext, newCommand } from './context.ts'

/** `completion`: what a shell needs to complete command lines. */
export function completionCommand(context: CommandContext): Command {
  return newCommand(context, {
    name: 'completion',
    usage: '<bash|zsh|fish>',
    description: `Prints a script for a shell, which completes commands, options, container IDs
and files.

EXAMPLES:
    source <(bundle-tool completion bash)
    bundle-tool completion zsh > ~/.zfunc/_bundle-tool
    bundle-tool completion fish > ~/.config/fish/completions/bundle-tool.fish`,
  })
    .addArgument(new Argument('<shell>').choices(Object.keys(completions)))
    .action((shell: keyof typeof completions, _options: unknown, command: Command) => {
      context.io.stdout.write(completions[shell](command.parent ?? command))
    })
}
