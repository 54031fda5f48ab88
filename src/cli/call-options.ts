import { OciError } from '../errors.ts'
import { structs, variables } from '../program/contract.ts'
import type { ValueKind } from '../program/options.ts'
import type { ExecOptions } from '../verbs/container/exec.ts'
import type { OwnOptions, RunOptions } from '../verbs/container/run.ts'
import type { CommandContext } from './context.ts'
import { cgroupManagers, rootOf } from './globals.ts'
import type { LogLevel } from './log.ts'

interface Kind {
  /** The value of an option that is given with one more text; undefined for a text that is none. */
  readonly take: (text: string, earlier: unknown) => unknown
  readonly isRepeatable?: boolean
  readonly problem: string
}

const listWith = (earlier: unknown, item: string | number): readonly unknown[] => [
  ...(Array.isArray(earlier) ? earlier : []),
  item,
]

/** How the values of options are read; no text is empty. */
export const valueKinds: Readonly<Record<ValueKind, Kind>> = {
  text: { take: (text) => text, problem: '' },
  count: {
    take: (text) => (/^\d{1,6}$/.test(text) ? Number(text) : undefined),
    problem: 'it must be a number of file descriptors',
  },
  texts: { take: (text, earlier) => listWith(earlier, text), isRepeatable: true, problem: '' },
  gids: {
    take: (text, earlier) => (isGid(text) ? listWith(earlier, Number(text)) : undefined),
    isRepeatable: true,
    problem: 'it must be a group ID',
  },
}

const isGid = (text: string): boolean => /^\d{1,10}$/.test(text) && Number(text) < 2 ** 32 - 1

/** The options of `run`, `create` and `exec` that were given, by their names in the library. */
export type CallFlags = Partial<
  Pick<
    RunOptions,
    | 'bundle'
    | 'configFile'
    | 'consoleSocket'
    | 'detach'
    | 'keep'
    | 'noCache'
    | 'noNewKeyring'
    | 'noPivot'
    | 'noSubreaper'
    | 'pidFile'
    | 'pidfdSocket'
    | 'preserveFds'
  > &
    Pick<
      ExecOptions,
      | 'additionalGids'
      | 'apparmorProfile'
      | 'capabilities'
      | 'cgroups'
      | 'cwd'
      | 'env'
      | 'ignorePaused'
      | 'noNewPrivileges'
      | 'processFile'
      | 'selinuxLabel'
      | 'terminal'
      | 'user'
    >
>

/** The part of a command's context that the functions below need. */
export interface CallContext extends Pick<CommandContext, 'globals' | 'log'> {
  readonly io: Pick<CommandContext['io'], 'env' | 'euid' | 'handOver'>
}

/** The options of `create`; `words` are as for `run`. */
export function createOptions(
  context: CallContext,
  words: readonly (string | undefined)[],
  flags: CallFlags,
): RunOptions & OwnOptions {
  return { ...containerOptions(context, words, flags), log: logBesideStreams(context, ['info']) }
}

/** The options of `run`; `words` are ID, or BUNDLE and ID. */
export function containerOptions(
  context: CallContext,
  words: readonly (string | undefined)[],
  { bundle, ...flags }: CallFlags,
): RunOptions & OwnOptions {
  return {
    ...flags,
    ...bundleAndID(words, bundle),
    root: rootOf(context),
    listenFds: countListenFds(context.io.env),
    notifySocket: context.io.env.NOTIFY_SOCKET || undefined,
    // The front was started by the service manager, and starts this process to compile.
    mainPid: context.io.env.NOTIFY_SOCKET && context.io.handOver ? process.ppid : undefined,
    noKept: true,
    forwardSignals: true,
    ...frontOptions(context),
    systemdCgroup: cgroupManagers[context.globals().cgroupManager],
    log: context.log,
  }
}

/** The options of `exec`; the words are ID and the command. */
export function execOptions(
  context: CallContext,
  [id = '', ...args]: readonly string[],
  flags: CallFlags,
): ExecOptions & OwnOptions {
  const own = { forwardSignals: true, ...frontOptions(context) }
  return { ...flags, root: rootOf(context), id, args, ...own, log: logBesideStreams(context, ['info', 'warning']) }
}

/**
 * The log of an `exec` or `create`, for which standard error is the container's own, and an engine passes it on to its user.
 * Without a file for the log, or a wish to see all of it, some levels are left out: those of which runc writes nothing there.
 */
function logBesideStreams({ globals, log }: CallContext, leftOut: readonly LogLevel[]): CallContext['log'] {
  const { log: file, debug } = globals()
  if (file !== undefined || debug) return log
  return (level, message) => {
    if (!leftOut.includes(level)) log(level, message)
  }
}

/** How many descriptors of socket activation this process was given: sd_listen_fds(3). */
function countListenFds(env: Readonly<Record<string, string | undefined>>): number {
  const count = Number(env.LISTEN_FDS)
  return env.LISTEN_PID === String(process.pid) && Number.isSafeInteger(count) && count > 0 ? count : 0
}

type Report = NonNullable<OwnOptions['reports']>[number]

/** How the front has this call's program compiled, and what it reports of a program that failed. */
function frontOptions({ io }: CallContext): Pick<OwnOptions, 'handOver' | 'reports'> {
  return { handOver: io.handOver, reports: reportsOf(io.env) }
}

/** The reports of a program that the front has executed, and that has failed. */
export function reportsOf(env: CallContext['io']['env']): OwnOptions['reports'] {
  const numbers = env[variables.reports]?.trim().split(' ').map(Number) ?? []
  const names = Object.keys(structs.report.fields).filter((name) => name !== 'detail')
  const reports = Array.from({ length: Math.floor(numbers.length / names.length) }, (_, index) => {
    const fields = names.map((name, place) => [name, numbers[index * names.length + place]])
    const detail = env[index === 0 ? variables.reportDetail : variables.leftoverDetail] ?? ''
    return { ...(Object.fromEntries(fields) as Omit<Report, 'detail'>), detail }
  })
  return reports.length === 0 ? undefined : reports
}

function bundleAndID([first = '', second]: readonly (string | undefined)[], bundle: string | undefined) {
  if (second === undefined) return { bundle: bundle ?? '.', id: first }
  if (bundle === undefined) return { bundle: first, id: second }
  throw new OciError('ERR_USAGE', `the bundle is given twice, as "${first}" and with --bundle as "${bundle}"`)
}
