import type { Command } from 'commander'
import { withBundleOption } from './container-options.ts'
import { type CommandContext, newCommand } from './context.ts'
import { withFormat } from './format.ts'
import { cgroupManagers, rootOf } from './globals.ts'

interface ExplainFlags {
  readonly bundle: string
}

/** `explain`: the program that `run` would execute. */
export function explainCommand(context: CommandContext): Command {
  const command = newCommand(context, {
    name: 'explain',
    usage: '[command options]\n[command options] <bundle>',
    description: `Compiles a bundle's config.json for this host and prints the program: each step in
order, and the field of config.json that it comes from. Nothing is run.

EXAMPLES:
    bundle-tool explain -b bundle
    bundle-tool explain --json bundle`,
  })
  const formatted = withFormat(command.argument('[bundle]'), { plain: 'text', json: 'a JSON array of steps' })
  return withBundleOption(formatted).action(async (bundle: string | undefined, flags: ExplainFlags) => {
    const { explain } = await import('../verbs/container/explain.ts')
    const { steps, text } = await explain({
      bundle: bundle ?? flags.bundle ?? '.',
      root: rootOf(context),
      systemdCgroup: cgroupManagers[context.globals().cgroupManager],
    })
    context.io.stdout.write(context.isJson() ? `${JSON.stringify(steps, undefined, 2)}\n` : text)
  })
}
