import type { Command } from 'commander'
import type { ContainerUsage } from '../verbs/container/stats.ts'
import { type CommandContext, newCommand } from './context.ts'
import { parseDuration } from './duration.ts'
import { withFormat } from './format.ts'
import { rootOf } from './globals.ts'

interface StatsFlags {
  readonly stream: boolean
  readonly interval: number
}

/** `stats`: a live table of what containers use. */
export function statsCommand(context: CommandContext): Command {
  const command = newCommand(context, {
    name: 'stats',
    usage: '[command options] [container-id...]',
    description: `Shows CPU, memory, processes and block I/O of the containers, or of all that run,
again and again.

EXAMPLES:
    bundle-tool stats
    bundle-tool stats --no-stream --json demo`,
  })
  return withFormat(command, { plain: 'table', json: 'a JSON array on a line for each table' })
    .argument('[container-id...]')
    .option('--no-stream', 'show the first table and end')
    .option('--interval <duration>', 'time that a table is about (default: 1s)', parseDuration, 1000)
    .action(async (ids: readonly string[], { stream, interval }: StatsFlags) => {
      const { stats } = await import('../verbs/container/stats.ts')
      const { stdout } = context.io
      // Home, and clear: the table stays where it is.
      const restart = stdout.size() && stream && !context.isJson() ? '\u001b[H\u001b[J' : ''
      for await (const usages of stats({ root: rootOf(context), ids, intervalMs: interval })) {
        if (restart !== '') stdout.write('', restart)
        context.print(usages, formatUsages)
        if (!stream) return
      }
    })
}

/** A table with a header; numbers to the right. */
export function formatUsages(usages: readonly ContainerUsage[]): string {
  const rows = usages.map((usage) => [
    usage.id,
    usage.status,
    `${usage.cpuPercent.toFixed(1)}%`,
    `${formatBytes(usage.memory)} / ${formatBytes(usage.memoryLimit)}`,
    `${((usage.memory / usage.memoryLimit) * 100).toFixed(1)}%`,
    String(usage.pids),
    `${formatBytes(usage.blockRead)} / ${formatBytes(usage.blockWrite)}`,
  ])
  const lines = [['ID', 'STATUS', 'CPU', 'MEMORY / LIMIT', 'MEM', 'PIDS', 'BLOCK READ / WRITE'], ...rows]
  const widths = lines[0]?.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0))) ?? []
  return lines.map((line) => `${line.map((cell, column) => pad(cell, column, widths)).join('  ')}\n`).join('')
}

function pad(cell: string, column: number, widths: readonly number[]): string {
  const width = widths[column] ?? 0
  return column < 2 ? cell.padEnd(width) : cell.padStart(width)
}

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']

/** Three digits and a unit: `1.25MiB`. */
export function formatBytes(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10))
  const value = bytes / 1024 ** power
  const digits = power === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2
  return `${value.toFixed(digits)}${units[power]}`
}
