import type { Command } from 'commander'
import { type CommandContext, newCommand } from './context.ts'
import { rootOf } from './globals.ts'

/** `pause`: suspends a container. */
export function pauseCommand(context: CommandContext): Command {
  return newCommand(context, {
    name: 'pause',
    usage: '<container-id>',
    description: `Suspends every process of a container, until "bundle-tool resume".

EXAMPLES:
    bundle-tool pause demo
    bundle-tool --root /run/runc pause demo`,
  })
    .argument('<container-id>')
    .action(async (id: string) => {
      const { pause } = await import('../verbs/container/pause.ts')
      await pause({ root: rootOf(context), id })
    })
}
