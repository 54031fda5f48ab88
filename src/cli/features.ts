import type { Command } from 'commander'
import { type CommandContext, newCommand } from './context.ts'
import { withFormat } from './format.ts'

/** `features`: what this runtime can do, for engines. */
export function featuresCommand(context: CommandContext): Command {
  const command = newCommand(context, {
    name: 'features',
    usage: '[command options]',
    description: `Prints the features structure of the OCI runtime specification: which values of
config.json this runtime can apply, whatever the host has to offer.

EXAMPLES:
    bundle-tool features
    bundle-tool features | jq .linux.seccomp`,
  })
  return withFormat(command, { plain: 'json', json: 'a JSON object' }).action(async () => {
    const { features } = await import('../verbs/container/features.ts')
    context.io.stdout.write(`${JSON.stringify(features(), undefined, 4)}\n`)
  })
}
