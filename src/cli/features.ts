import type { Command } from 'commander'
import { type CommandContext, newCommand } from './context.ts'

/** `features`: what this runtime can do, for engines. */
export function featuresCommand(context: CommandContext): Command {
  return newCommand(context, {
    name: 'features',
    summary: 'show what this runtime supports, as JSON',
    usage: '',
    description: `Prints the features structure of the OCI runtime specification: which values of
config.json this runtime can apply, whatever the host has to offer.

EXAMPLES:
    bundle-tool features
    bundle-tool features | jq .linux.seccomp`,
  }).action(async () => {
    const { features } = await import('../verbs/container/features.ts')
    context.io.stdout.write(`${JSON.stringify(features(), undefined, 4)}\n`)
  })
}
