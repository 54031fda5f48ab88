import type { Command } from 'commander'
import { execOptions } from './call-options.ts'
import { flagsOf, withCallOptions } from './container-options.ts'
import { type CommandContext, newCommand } from './context.ts'

/** `exec`: one more process in a running container. */
export function execCommand(context: CommandContext): Command {
  const command = newCommand(context, {
    name: 'exec',
    usage: '[command options] <container-id> <command> [arguments...]\n[command options] -p FILE <container-id>',
    description: `Runs a command as the container's own process runs, but for what the flags
change, and exits as it does. What follows the container ID belongs to the
command. Exit code 255: it could not be run.

EXAMPLES:
    bundle-tool exec demo ps -ef
    bundle-tool exec --tty --user 1000:1000 demo sh`,
  })
    .argument('<container-id>')
    .argument('[words...]')
  return withCallOptions(command, 'exec').action(
    async (id: string, words: readonly string[], flags: Record<string, unknown>) => {
      const { exec } = await import('../verbs/container/exec.ts')
      context.exit(await exec(execOptions(context, [id, ...words], flagsOf('exec', flags))))
    },
  )
}
