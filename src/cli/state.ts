import type { Command } from 'commander'
import { type CommandContext, newCommand } from './context.ts'
import { withFormat } from './format.ts'
import { rootOf } from './globals.ts'

/** `state`: one container, as JSON. */
export function stateCommand(context: CommandContext): Command {
  const command = newCommand(context, {
    name: 'state',
    usage: '[command options] <container-id>',
    description: `Prints the state of a container as a JSON object: its status is one of created,
running, paused and stopped.

EXAMPLES:
    bundle-tool state demo
    bundle-tool state demo | jq -r .status`,
  })
  return withFormat(command, { plain: 'json', json: 'a JSON object' })
    .argument('<container-id>')
    .action(async (id: string) => {
      const { state } = await import('../verbs/container/state.ts')
      context.io.stdout.write(`${JSON.stringify(await state({ root: rootOf(context), id }), undefined, 2)}\n`)
    })
}
