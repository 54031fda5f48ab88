import { formatBytes } from './columns.ts'
import type { PlainOutput } from './io.ts'
import { formatProgressLine, type LayerProgress, shortName } from './progress-line.ts'

/** An event of a verb about one layer or blob, which is told by its digest or name. */
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
  return output.size() === undefined ? logLines(output) : showLines(output, now)
}

/** How far something has come, and since when. */
interface Meter {
  readonly bytes: number
  readonly size: number | undefined
  /** Where it was when it began, which is not 0 when a download goes on. */
  readonly from: number
  readonly since: number
}

interface LayerStatus {
  readonly meters: { readonly [K in 'copying' | 'fetched' | 'read']?: Meter }
  /** The state of the layer or blob. */
  readonly end?: string | undefined
}

const intervalMs = 100

/** Lines that are written over as long as something changes, and when the terminal gets another size. */
function showLines(output: PlainOutput, now: () => number): Progress {
  const layers = new Map<string, LayerStatus>()
  let shownAt = Number.NEGATIVE_INFINITY
  let timer: NodeJS.Timeout | undefined

  function draw(): void {
    const { columns = 80, rows = 24 } = output.size() ?? {}
    const time = now()
    const lines = withinRows([...layers], Math.max(1, rows - 1)).map((entry) =>
      typeof entry === 'string' ? entry : formatProgressLine(entry[0], progressOf(entry[1], time), columns),
    )
    output.showLines(lines)
    shownAt = time
    clearTimeout(timer)
    timer = undefined
  }

  const stop = output.onResize(draw)
  return {
    update(event) {
      layers.set(event.name, changed(layers.get(event.name), event, now()))
      const wait = shownAt + intervalMs - now()
      if (wait <= 0) draw()
      else timer ??= setTimeout(draw, wait).unref()
    },
    end() {
      stop()
      clearTimeout(timer)
      output.showLines([])
    },
  }
}

type Entry = readonly [name: string, status: LayerStatus]

/** No more lines than the terminal has: those that have ended go first. */
function withinRows(entries: readonly Entry[], rows: number): readonly (Entry | string)[] {
  const surplus = entries.length - rows
  if (surplus <= 0) return entries
  let leaving = surplus + 1 // one for the line that counts them
  const staying = entries.filter(([, { end }]) => end === undefined || leaving-- <= 0)
  const shown = staying.slice(0, rows - 1)
  return [...shown, `and ${entries.length - shown.length} more`]
}

function changed(before: LayerStatus = { meters: {} }, event: LayerEvent, now: number): LayerStatus {
  if (event.kind === 'applied' || event.kind === 'copied') return { ...before, end: endOf(event) }
  const { bytes, size } = event
  const last = before.meters[event.kind]
  // A download that begins anew is measured anew.
  const { from, since } = last === undefined || bytes < last.bytes ? { from: bytes, since: now } : last
  return { meters: { ...before.meters, [event.kind]: { bytes, size, from, since } } }
}

/** The text of an event that is the last of its layer; undefined while there is more to come. */
function endOf(event: LayerEvent): string | undefined {
  if (event.kind === 'applied') return `unpacked, ${event.entries} entries`
  if (event.kind !== 'copied') return undefined
  return event.wasThere ? 'is there' : `copied, ${formatBytes(event.size)}`
}

function progressOf({ meters: { copying, fetched, read }, end }: LayerStatus, now: number): LayerProgress {
  if (end !== undefined) return { kind: 'ended', text: end }
  if (copying !== undefined) return going('copying', copying, now)
  if (fetched !== undefined && fetched.bytes < (fetched.size ?? 0)) return going('fetching', fetched, now)
  if (read !== undefined) return going('unpacking', read, now)
  return { kind: 'ended', text: 'fetched' }
}

function going(verb: 'fetching' | 'unpacking' | 'copying', meter: Meter, now: number): LayerProgress {
  const { bytes, size, from, since } = meter
  const seconds = (now - since) / 1000
  return { kind: 'going', verb, bytes, size, bytesPerSecond: seconds > 0 ? (bytes - from) / seconds : undefined }
}

function logLines(output: PlainOutput): Progress {
  /** Layers that are there: their last bytes may be reported more than once. */
  const whole = new Set<string>()
  return {
    update(event) {
      const name = shortName(event.name).slice(-60)
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
