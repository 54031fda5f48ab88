import type { Command } from 'commander'
import { type CommandContext, newCommand } from './context.ts'
import { rootOf } from './globals.ts'

/** `resume`: ends what `pause` began. */
export function resumeCommand(context: CommandContext): Command {
  return newCommand(context, {
    name: 'resume',
    usage: '<container-id>',
    description: `Lets the processes that "bundle-tool pause" has suspended go on.

EXAMPLES:
    bundle-tool resume demo
    bundle-tool --root /run/runc resume demo`,
  })
    .argument('<container-id>')
    .action(async (id: string) => {
      const { resume } = await import('../verbs/container/resume.ts')
      await resume({ root: rootOf(context), id })
    })
}
