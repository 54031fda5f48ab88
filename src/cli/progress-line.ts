import { printable } from '../text.ts'
import { formatBytes } from './columns.ts'
import { beginningWithin, columnsOf, endWithin } from './columns-of-text.ts'

/** How a layer or blob is coming on. */
export type LayerProgress =
  | {
      readonly kind: 'going'
      readonly verb: 'fetching' | 'unpacking' | 'copying'
      readonly bytes: number
      /** Bytes of all of it, where they are known. */
      readonly size: number | undefined
      /** Undefined before there is anything to measure. */
      readonly bytesPerSecond: number | undefined
    }
  | { readonly kind: 'ended'; readonly text: string }

/** The most columns that a name takes, and the least while there is a shorter form of what follows it. */
const nameColumns = { most: 60, least: 12 }

/**
 * One line about a layer, in less than `columns` columns: percent, total, speed and time left, in the longest form that fits.
 *
 * From 30 columns on all four are there. The last column stays empty: some terminals wrap when it is written.
 */
export function formatProgressLine(name: string, progress: LayerProgress, columns: number): string {
  const limit = Math.max(0, columns - 1)
  const short = endWithin(shortName(name), nameColumns.most)
  const forms = formsOf(progress)
  for (const form of forms) {
    const room = limit - columnsOf(form)
    if (room >= Math.min(nameColumns.least, columnsOf(short))) return fitted(short, room) + form
  }
  const last = forms.at(-1) ?? ''
  const room = limit - columnsOf(last)
  return room > 0 ? fitted(short, room) + last : beginningWithin(last.trimStart(), limit)
}

/** Twelve digits of a digest, as docker shows it; another name as it is. */
export function shortName(name: string): string {
  return /^sha(?:256|512):([0-9a-f]{12})/.exec(name)?.[1] ?? printable(name)
}

/** The beginning of a digest tells it from others, and so does the end of a path. */
const fitted = (name: string, room: number): string =>
  /^[0-9a-f]{12}$/.test(name) ? beginningWithin(name, room) : endWithin(name, room)

/** The texts that may follow the name, the longest first. */
function formsOf(progress: LayerProgress): readonly string[] {
  if (progress.kind === 'ended') return [`  ${progress.text}`]
  const { verb, bytes, size, bytesPerSecond: speed } = progress
  const left = size === undefined || !speed ? undefined : Math.ceil(Math.max(0, size - bytes) / speed)
  const percent = size === undefined ? undefined : percentOf(bytes, size).padStart(4)
  const word = verb.padEnd('unpacking'.length)
  const total = size === undefined ? formatBytes(bytes) : formatBytes(size)
  const amount = size === undefined ? total : `${formatBytes(bytes)} of ${total}`
  const rate = speed && `${formatBytes(Math.round(speed))}/s`
  const time = left === undefined ? undefined : `${formatSeconds(left)} left`
  return [
    joined('  ', [word, percent, amount, rate, time]),
    joined('  ', [word, percent, total, rate, time]),
    joined(' ', [
      percent,
      compactBytes(size ?? bytes),
      speed && `${compactBytes(speed)}/s`,
      left && compactSeconds(left),
    ]),
  ]
}

/** Each part that there is, with `space` before it. */
const joined = (space: string, parts: readonly (string | number | undefined)[]): string =>
  parts
    .filter((part) => part !== undefined && part !== 0)
    .map((part) => `${space}${part}`)
    .join('')

/** 100% is for all of it alone. */
function percentOf(bytes: number, size: number): string {
  return `${bytes >= size ? 100 : Math.floor((bytes / size) * 100)}%`
}

/** At most five columns: `999B`, `1.2MB`, `45GB`. */
function compactBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']
  let value = Math.round(bytes)
  let power = 0
  for (; value >= 999.5 && power < units.length - 1; power++) value /= 1000
  return `${power === 0 || value >= 9.95 ? Math.round(value) : value.toFixed(1)}${units[power]}`
}

/** `9s`, `2m05s`, `1h02m`, `3d`. */
function formatSeconds(seconds: number): string {
  const twoDigits = (value: number): string => String(value).padStart(2, '0')
  if (seconds < 60) return `${seconds}s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m${twoDigits(seconds % 60)}s`
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h${twoDigits(Math.floor((seconds % 3600) / 60))}m`
  return compactSeconds(seconds)
}

/** At most three columns: `59s`, `59m`, `23h`, `99d`. */
function compactSeconds(seconds: number): string {
  if (seconds < 60) return `${seconds}s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h`
  return `${Math.min(99, Math.floor(seconds / 86_400))}d`
}
