// What the rows of Docker's and of podman's clients are made of.
import type { Outcome } from '../engine-place.ts'
import { name, type Row, type RowEngine, RowError } from './rows.ts'

export const shell = (engine: RowEngine, flags: readonly string[], script: string): Outcome =>
  engine.call(...engine.run, '--rm', ...flags, 'busybox', 'sh', '-c', script)

/** A row of one container that is run to its end. */
export const run = (what: string, flags: readonly string[], script: string): Row => ({
  what,
  see: (engine) => shell(engine, flags, script),
})

/** Starts the container of a row. @throws RowError when that fails */
export function start({ call, run: words }: RowEngine, script: string, ...flags: readonly string[]): void {
  const { status, stderr } = call(...words, '-d', '--name', name, ...flags, 'busybox', 'sh', '-c', script)
  if (status !== 0) throw new RowError(stderr)
}

export const inspect = ({ call }: RowEngine, field: string): string =>
  call('inspect', '--format', `{{.State.${field}}}`, name).stdout.trim()

/** A call without what it prints, which is the ID of a container in most cases. */
export const done = ({ call }: RowEngine, ...args: readonly string[]): readonly unknown[] => {
  const { status, stderr } = call(...args)
  return [status, stderr]
}

/** Runs until a signal asks it to end, and says so. */
export const waiting = 'trap "echo ended; exit 5" TERM; echo started; while :; do sleep 0.1; done'

/** Writes a line ten times a second. */
export const ticking = 'while :; do echo tick; sleep 0.1; done'

/** Whether the container of a row writes lines at this time. */
export async function ticks({ call }: RowEngine): Promise<boolean> {
  const lines = (): number => call('logs', name).stdout.length
  const before = lines()
  await new Promise((resolve) => setTimeout(resolve, 500))
  return lines() > before
}
