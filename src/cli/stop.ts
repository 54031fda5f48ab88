import { type Command, InvalidArgumentError } from 'commander'
import { type CommandContext, newCommand } from './context.ts'
import { withFormat } from './format.ts'
import { rootOf } from './globals.ts'

/** `stop`: a container's end, by its stop signal or by force. */
export function stopCommand(context: CommandContext): Command {
  const command = newCommand(context, {
    name: 'stop',
    usage: '[command options] <container-id>',
    description: `Sends a container the stop signal of its image, or SIGTERM, waits for its end,
and kills it when that does not come in time. One that has ended is left as
it is. The container stays, stopped, until "bundle-tool delete".

EXAMPLES:
    bundle-tool stop demo && bundle-tool delete demo
    bundle-tool stop --time 60 demo`,
  })
  return withFormat(command, { plain: 'text', json: 'a JSON object with "id" and "wasKilled"' })
    .argument('<container-id>')
    .option('-t, --time <seconds>', 'how long it may take to end before it is killed (default: 10)', parseSeconds)
    .action(async (id: string, { time }: { time?: number }) => {
      const { stop } = await import('../verbs/container/stop.ts')
      const { wasKilled } = await stop({
        root: rootOf(context),
        id,
        timeoutMs: time === undefined ? undefined : time * 1000,
      })
      context.print({ id, wasKilled }, () => '')
    })
}

function parseSeconds(text: string): number {
  if (/^\d{1,9}(?:\.\d+)?$/.test(text)) return Number(text)
  throw new InvalidArgumentError('it must be a number of seconds')
}
