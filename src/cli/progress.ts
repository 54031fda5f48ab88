import { printable } from '../text.ts'
import { formatBytes } from './columns.ts'
import type { PlainOutput } from './io.ts'

/** What the verbs tell about one layer or blob, which goes by the digest or the name that it is called by. */
export type LayerEvent =
  | { readonly kind: 'copying'; readonly name: string; readonly bytes: number; readonly size: number }
  | { readonly kind: 'copied'; readonly name: string; readonly size: number; readonly wasThere: boolean }
  | { readonly kind: 'fetched'; readonly name: string; readonly bytes: number; readonly size: number }
  | { readonly kind: 'read'; readonly name: string; readonly bytes: number; readonly size: number | undefined }
  | { readonly kind: 'applied'; readonly name: string; readonly entries: number }

export interface Progress {
  readonly update: (event: LayerEvent) => void
  /** Removes what is only for the time being. */
  readonly end: () => void
}

export interface ProgressOptions {
  readonly output: PlainOutput
  readonly isQuiet?: boolean | undefined
  readonly now?: (() => number) | undefined
}

/** Shows how layers are coming on: a line for each on a terminal, else a line when one is there, and when it is unpacked or copied. */
export function showProgress({ output, isQuiet = false, now = Date.now }: ProgressOptions): Progress {
  if (isQuiet) return { update: () => {}, end: () => {} }
  return output.isTTY ? showLines(output, now) : logLines(output)
}

interface LayerStatus {
  size: number | undefined
  fetched: number
  /** When it began to arrive. */
  since: number
  read: number
  /** Bytes that a copy has. */
  copied: number
  /** What has become of it. */
  end: string | undefined
}

const intervalMs = 100

/** Lines that are written over as long as something changes. */
function showLines(output: PlainOutput, now: () => number): Progress {
  const layers = new Map<string, LayerStatus>()
  let shown = 0
  let shownAt = Number.NEGATIVE_INFINITY

  const erase = () => (shown === 0 ? '' : `\u001b[${shown}A\r\u001b[J`)

  function draw(): void {
    const lines = [...layers].map(([name, status]) => `${shortName(name)}  ${describe(status, now())}\n`)
    output.write(lines.join(''), erase())
    shown = lines.length
    shownAt = now()
  }

  return {
    update(event) {
      const status = layers.get(event.name) ?? {
        size: undefined,
        fetched: 0,
        since: now(),
        read: 0,
        copied: 0,
        end: undefined,
      }
      layers.set(event.name, status)
      take(status, event)
      if (now() - shownAt >= intervalMs) draw()
    },
    end() {
      output.write('', erase())
      shown = 0
    },
  }
}

function take(status: LayerStatus, event: LayerEvent): void {
  status.end = endOf(event)
  if (event.kind === 'applied' || event.kind === 'copied') return
  status.size = event.size
  if (event.kind === 'fetched') status.fetched = event.bytes
  else if (event.kind === 'read') status.read = event.bytes
  else status.copied = event.bytes
}

/** What an event says for good; undefined while there is more to come. */
function endOf(event: LayerEvent): string | undefined {
  if (event.kind === 'applied') return `unpacked, ${event.entries} entries`
  if (event.kind !== 'copied') return undefined
  return event.wasThere ? 'is there' : `copied, ${formatBytes(event.size)}`
}

function describe({ size, fetched, since, read, copied, end }: LayerStatus, now: number): string {
  if (end !== undefined) return end
  const total = size === undefined ? '' : ` of ${formatBytes(size)}`
  if (copied > 0) return `copied ${formatBytes(copied)}${total}${speedOf(copied, now - since)}`
  const unpacked = read === 0 ? '' : `unpacked ${formatBytes(read)}${total}`
  if (fetched === 0 || fetched === size) return unpacked || (fetched === 0 ? 'waiting' : 'fetched')
  const speed = speedOf(fetched, now - since)
  return `fetched ${formatBytes(fetched)}${total}${speed}${unpacked === '' ? '' : `, ${unpacked}`}`
}

const speedOf = (bytes: number, ms: number): string =>
  ms > 0 ? `, ${formatBytes(Math.round((bytes * 1000) / ms))}/s` : ''

function logLines(output: PlainOutput): Progress {
  /** Layers that are there: their last bytes may be reported more than once. */
  const whole = new Set<string>()
  return {
    update(event) {
      const name = shortName(event.name)
      if (event.kind === 'fetched' && event.bytes === event.size && !whole.has(event.name)) {
        whole.add(event.name)
        output.write(`${name}: fetched, ${formatBytes(event.size)}\n`)
      }
      const end = endOf(event)
      if (end !== undefined) output.write(`${name}: ${end}\n`)
    },
    end() {},
  }
}

/** Twelve digits of a digest, as docker shows it; the end of another name. */
function shortName(name: string): string {
  const hex = /^sha(?:256|512):([0-9a-f]{12})/.exec(name)?.[1]
  return hex ?? printable(name).slice(-60)
}
