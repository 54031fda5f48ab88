import { absoluteRoot, defaultRoot } from '../state-root.ts'
import type { IO } from './io.ts'
import type { LogFormat } from './log.ts'

/** The options before the command's name. */
export interface Globals {
  readonly root?: string | undefined
  readonly log?: string | undefined
  readonly logFormat: LogFormat
  readonly debug: boolean
  readonly cgroupManager: keyof typeof cgroupManagers
}

/** True when the caller wants a log as runc writes it, errors and warnings included. */
export const asksForLog = ({ log, logFormat }: Globals): boolean => log !== undefined || logFormat !== 'text'

/** The makers of cgroups: the name on the command line, and the value of the library's option. */
export const cgroupManagers = { cgroupfs: false, systemd: true, auto: 'auto' } as const

/** The directory of container state that `--root` names, or the caller's own. */
export function rootOf({
  globals,
  io,
}: {
  readonly globals: () => Globals
  readonly io: Pick<IO, 'env' | 'euid'>
}): string {
  const { root } = globals()
  return absoluteRoot(root ?? defaultRoot(io.env, io.euid))
}
