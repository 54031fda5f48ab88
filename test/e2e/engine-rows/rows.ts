import { appendFileSync } from 'node:fs'
import { expect } from 'vitest'
import { isThere, type requires } from '../../requirements.ts'
import { cgroupDriver, type EnginePlace, inCommonWords, type Outcome, slowness } from '../engine-place.ts'

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
  /** The answer that the user sees: it must be the same with runc. */
  readonly see: (engine: RowEngine) => unknown
  /** The answer that our runtime must give, for a row where runc may give another one. */
  readonly expected?: unknown
  /** True for a row that no other runtime can do. Needs `expected`. */
  readonly onlyOurs?: boolean
  /** False where this machine cannot do the row with any runtime. Default: true. */
  readonly isPossible?: boolean
  /** How often it is done, in turns, for the time that it takes: the median. Default: once. */
  readonly times?: number
  /** True for a row about containers that cannot be started. */
  readonly fails?: boolean
}

/** `words`: the same but for the text of errors; `fails`: the engine could not start the container of the row. */
type Likeness = 'same' | 'words' | 'other' | 'fails'

/** A line of a file of results, which scripts/engines.mjs reads. */
interface Result {
  readonly engine: string
  readonly what: string
  readonly host: 'v1' | 'hybrid' | 'v2' | 'systemd'
  readonly passes: boolean
  /** By runtime: how its answer is like ours. */
  readonly like: Readonly<Record<string, Likeness>>
  /** Milliseconds, by runtime. */
  readonly ms: Readonly<Record<string, number>>
}

/** Who has the controllers: `systemd` is cgroup v2 whose cgroups systemd makes. */
const host: Result['host'] =
  cgroupDriver === 'systemd' ? 'systemd' : isThere('cgroup2') ? 'v2' : isThere('a hybrid hierarchy') ? 'hybrid' : 'v1'

/** Containers of rows are called this. */
export const name = 'demo'

/** The container of a row could not be started, or was never as the row wants it. */
export class RowError extends Error {}

/** Makes a test of each row: every runtime does it, and the first one is ours. The results go to the file of ENGINES_TABLE. */
export function testRows(
  test: ReturnType<typeof requires>['test'],
  rows: readonly Row[],
  { title, engines }: { readonly title: () => string; readonly engines: () => readonly RowEngine[] },
): void {
  const possible = rows.filter(({ isPossible = true }) => isPossible)
  if (possible.length === 0) test.skip('no row is possible on this machine')
  const timeout = (60_000 + often * 10_000) * slowness
  test.each(possible.map((row) => [row.what, row] as const))('%s', { timeout }, async (what, row) => {
    const all = engines().slice(0, row.onlyOurs ? 1 : undefined)
    const seen = new Map<string, unknown>()
    const took = new Map<string, number[]>()
    let passes = false
    try {
      await seeInTurns(row, all, { seen, took })
      const ours = seen.get('bundle-tool')
      expect(ours).toEqual('expected' in row ? row.expected : seen.get('runc'))
      // A failure of the engine is the same with every runtime, and shows nothing. Docker has 127 for some of its own.
      expect(JSON.stringify(ours)).not.toMatch(row.fails ? /"status":(125|null)/ : /"status":(12[567]|null)/)
      passes = true
    } finally {
      const others = [...seen].filter(([runtime]) => runtime !== 'bundle-tool')
      const like = others.map(([runtime, theirs]) => [runtime, likeness(theirs, seen.get('bundle-tool'))])
      const ms = [...took].map(([runtime, values]) => [runtime, Math.round(median(values))])
      tell({
        engine: title(),
        what,
        host,
        passes,
        like: Object.fromEntries(like),
        ms: Object.fromEntries(ms),
      })
    }
  })
}

function tell(result: Result): void {
  const file = process.env.ENGINES_TABLE
  if (file) appendFileSync(file, `${JSON.stringify(result)}\n`)
}

/** Has each engine do the row, as often as the row says, and keeps the first answer of each. */
async function seeInTurns(
  row: Row,
  engines: readonly RowEngine[],
  { seen, took }: { readonly seen: Map<string, unknown>; readonly took: Map<string, number[]> },
): Promise<void> {
  for (let turn = 0; turn < (row.times ?? 1); turn++) {
    for (const engine of engines) {
      const started = performance.now()
      try {
        const outcome = await answer(row, engine)
        took.set(engine.runtime, [...(took.get(engine.runtime) ?? []), performance.now() - started])
        if (turn === 0) seen.set(engine.runtime, inSameWords(outcome))
      } finally {
        engine.call('rm', '-f', name)
      }
    }
  }
}

/** Our answer to a row, and runc's where it is what ours must be, have to be there; others may fail. */
async function answer(row: Row, engine: RowEngine): Promise<unknown> {
  try {
    return await row.see(engine)
  } catch (error) {
    const isNeeded = engine.runtime === 'bundle-tool' || (engine.runtime === 'runc' && !('expected' in row))
    if (!(error instanceof RowError) || isNeeded) throw error
    return error
  }
}

function likeness(theirs: unknown, ours: unknown): Likeness {
  if (theirs instanceof RowError) return 'fails'
  if (isSame(theirs, ours)) return 'same'
  return isSame(withoutErrors(theirs), withoutErrors(ours)) ? 'words' : 'other'
}

const isSame = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other)

const isOutcome = (seen: unknown): seen is Outcome => typeof seen === 'object' && seen !== null && 'stderr' in seen

function withoutErrors(seen: unknown): unknown {
  if (Array.isArray(seen)) return seen.map(withoutErrors)
  return isOutcome(seen) ? { ...seen, stderr: seen.stderr !== '' } : seen
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN

/** How often a row that is about time is done: as often as a median needs when a table is asked for. */
export const often: number = Number(process.env.ENGINES_ROUNDS ?? (process.env.ENGINES_TABLE ? 20 : 2))

/** Words of failures without the names of runtimes. */
function inSameWords(seen: unknown): unknown {
  if (Array.isArray(seen)) return seen.map(inSameWords)
  if (!isOutcome(seen)) return seen
  const { status, stdout, stderr } = inCommonWords(seen)
  // runc has these among what a container writes, and on the terminal of one.
  const own = /^.*can't raise ambient capability .*\n/gm
  return {
    status,
    stdout: stdout.replace(own, ''),
    stderr: stderr.replace(own, '').replaceAll('crun', 'bundle-tool'),
  }
}

/** Waits until something is as it should be. */
export async function until(isSo: () => boolean, withinMs = 20_000): Promise<void> {
  for (const end = Date.now() + withinMs * slowness; !isSo(); ) {
    if (Date.now() > end) throw new RowError(`still not so after ${withinMs * slowness} ms: ${isSo}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
