import type { Command } from 'commander'
import { printable } from '../text.ts'
import type { State } from '../verbs/container/state.ts'
import { type CommandContext, newCommand } from './context.ts'
import { withFormat } from './format.ts'
import { rootOf } from './globals.ts'

interface ListFlags {
  readonly quiet?: boolean
}

/** `list`: the containers below the root. */
export function listCommand(context: CommandContext): Command {
  const command = newCommand(context, {
    name: 'list',
    usage: '[command options]',
    description: `Lists the containers whose state is below the directory that the global option
--root names, those of runc too.

EXAMPLES:
    bundle-tool list
    bundle-tool --root /run/docker/runtime-runc/moby list --format json`,
  })
  return withFormat(command, { plain: 'table', json: 'a JSON array of states', letter: 'f' })
    .option('-q, --quiet', 'print container IDs only')
    .action(async ({ quiet }: ListFlags) => {
      const { list } = await import('../verbs/container/list.ts')
      const states = await list({
        root: rootOf(context),
        onUnreadable: (id, error) => context.log('warning', `container "${id}": ${error.message}`),
      })
      if (quiet) context.io.stdout.write(states.map(({ id }) => `${id}\n`).join(''))
      else context.print(orNull(states), () => formatTable(states))
    })
}

/** No containers are `null`, as for runc. */
const orNull = (states: readonly State[]): readonly State[] | null => (states.length === 0 ? null : states)

/** runc's columns, each at least 12 wide and 3 apart, but for the last. */
export function formatTable(states: readonly State[]): string {
  const header = ['ID', 'PID', 'STATUS', 'BUNDLE', 'CREATED', 'OWNER']
  const rows = states.map(({ id, pid, status, bundle, created, owner }) => [
    id,
    String(pid),
    status,
    bundle,
    created,
    owner,
  ])
  const lines = [header, ...rows.map((row) => row.map(printable))]
  const widths = header.map((_, column) => Math.max(12, ...lines.map((line) => (line[column] ?? '').length + 3)))
  return lines
    .map((line) => `${line.map((cell, i) => (i === line.length - 1 ? cell : cell.padEnd(widths[i] ?? 0))).join('')}\n`)
    .join('')
}
