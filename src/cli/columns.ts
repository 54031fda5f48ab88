import { printable } from '../text.ts'
import { columnsOf } from './columns-of-text.ts'

/** Rows under a header, the columns aligned and two spaces apart. */
export function formatColumns(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [header, ...rows.map((row) => row.map(printable))]
  const widths = header.map((_, column) => Math.max(...lines.map((line) => columnsOf(line[column] ?? ''))))
  return lines
    .map(
      (line) =>
        `${line
          .map((cell, column) => `${cell}${' '.repeat((widths[column] ?? 0) - columnsOf(cell))}`)
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}

/** A text of several lines within one of ours: none of them can be taken for another of ours. */
export const nested = (text: string): string => text.replaceAll('\n', '\n    ')

/** Bytes as people read them, in powers of 1000. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), units.length - 1)
  return power === 0 ? `${bytes} B` : `${(bytes / 1000 ** power).toFixed(1)} ${units[power]}`
}
