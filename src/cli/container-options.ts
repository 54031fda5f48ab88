import { type Command, InvalidArgumentError } from 'commander'
import type { CreateOptions } from '../create.ts'
import { OciError } from '../errors.ts'
import { type CommandContext, cgroupManagers, rootOf } from './context.ts'

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

export const bundleOption = ['-b, --bundle <directory>', 'the bundle (default: the current directory)'] as const

/** Gives a command the arguments and flags that `create` and `run` share. */
export function withContainerOptions(command: Command): Command {
  return command
    .argument('<bundle-or-id>')
    .argument('[container-id]')
    .option(...bundleOption)
    .option('--console-socket <path>', "a unix socket to send the container's terminal to")
    .option('--no-cache', 'compile the bundle, and do not keep its program')
    .option('--pid-file <file>', 'write the process ID of the container to this file')
    .option('--pidfd-socket <path>', 'a unix socket to send a pidfd of the container to')
    .option('--no-pivot', 'change the root by chroot(2): for a rootfs in a ramdisk, where pivot_root(2) is refused')
    .option('--no-new-keyring', "let the container use the caller's session keyring")
    .option(
      '--preserve-fds <count>',
      'pass this many file descriptors from 3 on to the container (default: 0)',
      parseCount,
      0,
    )
}

/** What `create` and `run` are called with; `words` are ID, or BUNDLE and ID. */
export function containerOptions(
  context: CommandContext,
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

/** How many descriptors of socket activation this process was given: sd_listen_fds(3). */
function countListenFds(env: Readonly<Record<string, string | undefined>>): number {
  const count = Number(env.LISTEN_FDS)
  return env.LISTEN_PID === String(process.pid) && Number.isSafeInteger(count) && count > 0 ? count : 0
}

/** How the front has this call's program compiled, and what it reports of a program that failed. */
export function frontOptions({ io }: CommandContext): Pick<CreateOptions, 'handOver' | 'reports'> {
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

export function parseCount(text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('it must be a number of file descriptors')
}
