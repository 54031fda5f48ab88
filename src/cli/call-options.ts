import type { CreateOptions } from '../create.ts'
import { OciError } from '../errors.ts'
import type { ExecOptions } from '../exec.ts'
import type { RunOptions } from '../run.ts'
import type { CommandContext } from './context.ts'
import { cgroupManagers, rootOf } from './globals.ts'

/** An option of `run`, `create` or `exec`, for commander and for the parser of the compiler (compiler.ts) alike. */
export interface CallOption {
  /** As commander has them: `-d, --detach`, `--no-x` for the option `x` that is true without it, `--name <value>`. */
  readonly flags: string
  readonly description: string
  /** What its value is; default: a text, or a switch where it takes none. */
  readonly kind?: ValueKind
}

export type ValueKind = 'count' | 'texts' | 'gids'

interface Kind {
  readonly initial: unknown
  /** What the option comes to with one more value; undefined for a value that is none. */
  readonly take: (text: string, earlier: unknown) => unknown
  readonly problem: string
}

export const kinds: Readonly<Record<ValueKind, Kind>> = {
  count: {
    initial: 0,
    take: (text) => (/^\d{1,6}$/.test(text) ? Number(text) : undefined),
    problem: 'it must be a number of file descriptors',
  },
  texts: { initial: [], take: (text, earlier) => [...(earlier as readonly string[]), text], problem: '' },
  gids: {
    initial: [],
    take: (text, earlier) => (isGid(text) ? [...(earlier as readonly number[]), Number(text)] : undefined),
    problem: 'it must be a group ID',
  },
}

const isGid = (text: string): boolean => /^\d{1,10}$/.test(text) && Number(text) < 2 ** 32 - 1

export const bundleOption: CallOption = {
  flags: '-b, --bundle <directory>',
  description: 'the bundle (default: the current directory)',
}

const noSubreaper = '--no-subreaper'

const createOptions: readonly CallOption[] = [
  bundleOption,
  { flags: '--console-socket <path>', description: "a unix socket to send the container's terminal to" },
  { flags: '--no-cache', description: 'compile the bundle, and use and keep no program or filter' },
  { flags: '--pid-file <file>', description: 'write the process ID of the container to this file' },
  { flags: '--pidfd-socket <path>', description: 'a unix socket to send a pidfd of the container to' },
  {
    flags: '--no-pivot',
    description: 'change the root by chroot(2): for a rootfs in a ramdisk, where pivot_root(2) is refused',
  },
  { flags: '--no-new-keyring', description: "let the container use the caller's session keyring" },
  {
    flags: '--preserve-fds <count>',
    description: 'pass this many file descriptors from 3 on to the container (default: 0)',
    kind: 'count',
  },
]

export type Call = 'create' | 'run' | 'exec'

/** What each command may be given, `--help` aside. */
export const callOptions: Readonly<Record<Call, readonly CallOption[]>> = {
  create: createOptions,
  run: [
    ...createOptions,
    { flags: '-d, --detach', description: 'return when the container is running' },
    { flags: '--keep', description: 'keep the container, stopped, when its program has ended' },
    { flags: noSubreaper, description: "leave orphaned processes of the container to the caller's reaper" },
  ],
  exec: [
    { flags: '--console-socket <path>', description: 'a unix socket to send the terminal to' },
    { flags: '--pidfd-socket <path>', description: 'a unix socket to send a pidfd of the process to' },
    { flags: '--cwd <directory>', description: 'the working directory in the container' },
    { flags: '-e, --env <variable>', description: 'a variable to set, NAME=value; may be repeated', kind: 'texts' },
    { flags: '-t, --tty', description: 'give the process a terminal' },
    { flags: '-u, --user <ids>', description: 'user ID, or user ID:group ID' },
    { flags: '-g, --additional-gids <gid>', description: 'a supplementary group ID; may be repeated', kind: 'gids' },
    { flags: '-p, --process <file>', description: 'a file with the whole process, as "process" in config.json' },
    { flags: '-d, --detach', description: 'return when the process runs' },
    { flags: '--pid-file <file>', description: 'write the process ID to this file' },
    { flags: '--process-label <label>', description: 'the SELinux label of the process' },
    { flags: '--apparmor <profile>', description: 'the AppArmor profile of the process' },
    { flags: '--no-new-privs', description: 'keep the process from gaining privileges by execve(2)' },
    { flags: '-c, --cap <capability>', description: 'a capability to add; may be repeated', kind: 'texts' },
    {
      flags: '--preserve-fds <count>',
      description: 'pass this many file descriptors from 3 on to the process',
      kind: 'count',
    },
    {
      flags: '--cgroup <path>',
      description: "a cgroup below the container's, [controller,...:]path; may be repeated",
      kind: 'texts',
    },
    { flags: '--ignore-paused', description: 'let the process wait in a paused container' },
    { flags: noSubreaper, description: "leave orphaned processes to the caller's reaper" },
  ],
}

/** The flags that `create` and `run` share, as commander names them: `--no-x` is the option `x`, false when given. */
export interface ContainerFlags {
  readonly bundle?: string
  readonly consoleSocket?: string
  readonly pidFile?: string
  readonly pidfdSocket?: string
  readonly pivot: boolean
  readonly newKeyring: boolean
  readonly preserveFds: number
  readonly cache: boolean
}

export interface RunFlags extends ContainerFlags {
  readonly detach?: boolean
  readonly keep?: boolean
  readonly subreaper: boolean
}

export interface ExecFlags {
  readonly consoleSocket?: string
  readonly pidfdSocket?: string
  readonly cwd?: string
  readonly env: readonly string[]
  readonly tty?: boolean
  readonly user?: string
  readonly additionalGids: readonly number[]
  readonly process?: string
  readonly detach?: boolean
  readonly pidFile?: string
  readonly processLabel?: string
  readonly apparmor?: string
  readonly newPrivs: boolean
  readonly cap: readonly string[]
  readonly preserveFds: number
  readonly cgroup: readonly string[]
  readonly ignorePaused?: boolean
  readonly subreaper: boolean
}

/** What the functions below need to know of a call. */
export interface CallContext extends Pick<CommandContext, 'globals' | 'log'> {
  readonly io: Pick<CommandContext['io'], 'env' | 'euid' | 'handOver'>
}

/** What `create` and `run` are called with; `words` are ID, or BUNDLE and ID. */
export function containerOptions(
  context: CallContext,
  words: readonly (string | undefined)[],
  flags: ContainerFlags,
): CreateOptions {
  const { bundle, id } = bundleAndID(words, flags.bundle)
  return {
    id,
    bundle,
    root: rootOf(context),
    pidFile: flags.pidFile,
    consoleSocket: flags.consoleSocket,
    pidfdSocket: flags.pidfdSocket,
    noPivot: !flags.pivot,
    noNewKeyring: !flags.newKeyring,
    preserveFds: flags.preserveFds,
    listenFds: countListenFds(context.io.env),
    notifySocket: context.io.env.NOTIFY_SOCKET || undefined,
    // The front was started by the service manager, and starts this process to compile.
    mainPid: context.io.env.NOTIFY_SOCKET && context.io.handOver ? process.ppid : undefined,
    noCache: !flags.cache,
    noKept: true,
    forwardSignals: true,
    ...frontOptions(context),
    systemdCgroup: cgroupManagers[context.globals().cgroupManager],
    log: context.log,
  }
}

export function runOptions(context: CallContext, words: readonly (string | undefined)[], flags: RunFlags): RunOptions {
  const { detach, keep, subreaper } = flags
  return { ...containerOptions(context, words, flags), detach, keep, noSubreaper: !subreaper }
}

/** What `exec` is called with. */
export function execOptions(
  context: CallContext,
  [id = '', ...args]: readonly string[],
  flags: ExecFlags,
): ExecOptions {
  return {
    root: rootOf(context),
    id,
    args,
    processFile: flags.process,
    cwd: flags.cwd,
    env: flags.env,
    terminal: flags.tty,
    user: flags.user,
    additionalGids: flags.additionalGids,
    capabilities: flags.cap,
    // Without the flag the container's own setting holds.
    noNewPrivileges: flags.newPrivs ? undefined : true,
    apparmorProfile: flags.apparmor,
    selinuxLabel: flags.processLabel,
    detach: flags.detach,
    pidFile: flags.pidFile,
    consoleSocket: flags.consoleSocket,
    pidfdSocket: flags.pidfdSocket,
    preserveFds: flags.preserveFds,
    cgroups: flags.cgroup,
    ignorePaused: flags.ignorePaused,
    noSubreaper: !flags.subreaper,
    ...frontOptions(context),
    log: context.log,
  }
}

/** How many descriptors of socket activation this process was given: sd_listen_fds(3). */
function countListenFds(env: Readonly<Record<string, string | undefined>>): number {
  const count = Number(env.LISTEN_FDS)
  return env.LISTEN_PID === String(process.pid) && Number.isSafeInteger(count) && count > 0 ? count : 0
}

/** How the front has this call's program compiled, and what it reports of a program that failed. */
function frontOptions({ io }: CallContext): Pick<CreateOptions, 'handOver' | 'reports'> {
  const numbers = io.env.BUNDLE_TOOL_REPORTS?.trim().split(' ').map(Number) ?? []
  const detail = io.env.BUNDLE_TOOL_REPORT_DETAIL ?? ''
  const reports = Array.from({ length: Math.floor(numbers.length / 6) }, (_, index) => {
    const [kind = 0, step = 0, error = 0, syscall = 0, pid = 0, status = 0] = numbers.slice(index * 6)
    return { kind, step, error, syscall, pid, status, detail: index === 0 ? detail : '' }
  })
  return { handOver: io.handOver, reports: reports.length === 0 ? undefined : reports }
}

function bundleAndID([first = '', second]: readonly (string | undefined)[], bundle: string | undefined) {
  if (second === undefined) return { bundle: bundle ?? '.', id: first }
  if (bundle === undefined) return { bundle: first, id: second }
  throw new OciError('ERR_USAGE', `the bundle is given twice, as "${first}" and with --bundle as "${bundle}"`)
}
