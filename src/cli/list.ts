import type { Command } from 'commander'
import { OciError } from '../errors.ts'
import { printable } from '../text.ts'
import type { State } from '../verbs/container/state.ts'
import { type CommandContext, newCommand } from './context.ts'
import { rootOf } from './globals.ts'

interface ListFlags {
  readonly format: string
  readonly quiet?: boolean
}

/** `list`: the containers below the root. */
export function listCommand(context: CommandContext): Command {
  return newCommand(context, {
    name: 'list',
    summary: 'list the containers of a root',
    usage: '[command options]',
    description: `Lists the containers whose state is below the directory that the global option
--root names, those of runc too.

EXAMPLES:
    bundle-tool list
    bundle-tool --root /run/docker/runtime-runc/moby list --format json`,
  })
    .option('-f, --format <format>', 'table or json (default: table)', 'table')
    .option('-q, --quiet', 'print container IDs only')
    .action(async ({ format, quiet }: ListFlags) => {
      if (format !== 'table' && format !== 'json') throw new OciError('ERR_USAGE', `invalid format option "${format}"`)
      const { list } = await import('../verbs/container/list.ts')
      const states = await list({
        root: rootOf(context),
        onUnreadable: (id, error) => context.log('warning', `container "${id}": ${error.message}`),
      })
      if (quiet) context.io.stdout.write(states.map(({ id }) => `${id}\n`).join(''))
      else context.io.stdout.write(format === 'json' ? formatJson(states) : formatTable(states))
    })
}

/** No containers are `null`, as for runc. */
export const formatJson = (states: readonly State[]): string =>
  `${JSON.stringify(states.length === 0 ? null : states)}\n`

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
