import type { Command } from 'commander'
import { type CommandContext, newCommand } from './context.ts'
import { parseDuration } from './duration.ts'
import { withFormat } from './format.ts'
import { rootOf } from './globals.ts'

interface EventsFlags {
  readonly interval: number
  readonly stats?: boolean
}

/** `events`: what a container uses, and that it is out of memory, a line of JSON each. */
export function eventsCommand(context: CommandContext): Command {
  const command = newCommand(context, {
    name: 'events',
    usage: '[command options] <container-id>',
    description: `Prints a JSON object on a line for each event: "stats" after every interval, and
"oom" when the container has reached its memory limit. Ends with the container.

EXAMPLES:
    bundle-tool events --stats demo
    bundle-tool events --interval 1s demo`,
  })
  return withFormat(command, { plain: 'json', json: 'a JSON object on a line for each event' })
    .argument('<container-id>')
    .option('--interval <duration>', 'time between two lines of statistics (default: 5s)', parseDuration, 5000)
    .option('--stats', 'print the statistics once')
    .action(async (id: string, { interval, stats }: EventsFlags) => {
      const { containerStats, events, jsonLine } = await import('../verbs/container/events.ts')
      const container = { root: rootOf(context), id }
      if (stats) {
        context.io.stdout.write(jsonLine(await containerStats(container)))
        return
      }
      for await (const event of events({ ...container, intervalMs: interval })) {
        context.io.stdout.write(jsonLine(event))
      }
    })
}
