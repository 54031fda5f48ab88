import type { Command } from 'commander'
import { type CommandContext, newCommand } from './context.ts'

/** `unshare`: a command in the caller's user namespace. */
export function unshareCommand(context: CommandContext): Command {
  return newCommand(context, {
    name: 'unshare',
    usage: '[command options] [command] [arguments...]',
    description: `Runs a command, or a shell, as root of a user namespace: root there is you, and
its other ids are those that /etc/subuid and /etc/subgid give you. It is how files
that "--subids" has made are read, changed and removed. Exits as the command does.

EXAMPLES:
    bundle-tool unshare rm -rf bundle
    bundle-tool unshare bundle-tool export bundle -o rootfs.tar`,
  })
    .argument('[words...]')
    .action(async (words: readonly string[]) => {
      const { unshare } = await import('../verbs/container/unshare.ts')
      const { env } = context.io
      context.exit(await unshare({ command: words.length > 0 ? words : [env.SHELL || '/bin/sh'], env }))
    })
}
