import { appendFileSync } from 'node:fs'
import { afterAll, expect } from 'vitest'
import type { requires } from '../../requirements.ts'
import { type EnginePlace, inCommonWords, type Outcome } from '../engine-place.ts'

/** An engine that is to use one of the runtimes. */
export interface RowEngine {
  readonly place: EnginePlace
  /** The name of the runtime: ours is `bundle-tool`. */
  readonly runtime: string
  /** Calls the engine's client to its end. */
  readonly call: (...args: readonly string[]) => Outcome
  readonly onTerminal: (...args: readonly string[]) => Outcome
  /** The words of `run` with this runtime, and with no network. */
  readonly run: readonly string[]
}

/** A line of the table in docs/engines.md. */
export interface Row {
  readonly what: string
  /** The answer that the user sees: it must be the same with every runtime. */
  readonly see: (engine: RowEngine) => unknown
  /** The answer of our runtime, where no other can be compared. */
  readonly alone?: unknown
  /** How often it is done, in turns, for the time that it takes: the median. Default: once. */
  readonly times?: number
  /** True for a row about containers that cannot be started. */
  readonly fails?: boolean
}

/** A line of a file of results, which scripts/engines.mjs reads. */
interface Result {
  readonly engine: string
  readonly what: string
  readonly isSame: boolean
  /** Milliseconds, by runtime. */
  readonly ms: Readonly<Record<string, number>>
}

/** Containers of rows are called this. */
export const name = 'demo'

/** Makes a test of each row: every runtime does it, and the first one is ours. The results go to the file of ENGINES_TABLE. */
export function testRows(
  test: ReturnType<typeof requires>['test'],
  rows: readonly Row[],
  { title, engines }: { readonly title: () => string; readonly engines: () => readonly RowEngine[] },
): void {
  const results: Result[] = []
  afterAll(() => {
    const file = process.env.ENGINES_TABLE
    if (file) appendFileSync(file, results.map((result) => `${JSON.stringify(result)}\n`).join(''))
  })
  test.each(rows.map((row) => [row.what, row] as const))('%s', async (what, { see, alone, fails, times = 1 }) => {
    const seen: unknown[] = []
    const took = new Map<string, number[]>()
    const all = engines().slice(0, alone === undefined ? undefined : 1)
    for (let turn = 0; turn < times * all.length; turn++) {
      const engine = all[turn % all.length]
      if (engine === undefined) continue
      const started = performance.now()
      const outcome = await see(engine)
      took.set(engine.runtime, [...(took.get(engine.runtime) ?? []), performance.now() - started])
      if (turn < all.length) seen.push(inSameWords(outcome))
      engine.call('rm', '-f', name)
    }
    const ms = Object.fromEntries([...took].map(([runtime, values]) => [runtime, Math.round(median(values))]))
    const [ours, ...others] = seen
    const theirs = alone === undefined ? others : [alone]
    const isSame = theirs.every((outcome) => JSON.stringify(outcome) === JSON.stringify(ours))
    results.push({ engine: title(), what, isSame, ms })
    for (const outcome of theirs) expect(ours).toEqual(outcome)
    // A failure of the engine is the same with every runtime, and shows nothing.
    expect(JSON.stringify(ours)).not.toMatch(fails ? /"status":(125|null)/ : /"status":(125|126|null)/)
  })
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN

/** How often a row that is about time is done: as often as a median needs when a table is asked for. */
export const often: number = process.env.ENGINES_TABLE ? 20 : 2

/** Words of failures without the names of runtimes. */
function inSameWords(seen: unknown): unknown {
  if (Array.isArray(seen)) return seen.map(inSameWords)
  if (typeof seen !== 'object' || seen === null || !('stderr' in seen)) return seen
  const { status, stdout, stderr } = inCommonWords(seen as Outcome)
  return { status, stdout, stderr: stderr.replaceAll('crun', 'bundle-tool') }
}

/** Waits until something is as it should be. */
export async function until(isSo: () => boolean, withinMs = 20_000): Promise<void> {
  for (const end = Date.now() + withinMs; !isSo(); ) {
    if (Date.now() > end) throw new Error(`still not so after ${withinMs} ms: ${isSo}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
