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
    noCache: !flags.cache,
    failure: failureOf(context.io.env),
    systemdCgroup: cgroupManagers[context.globals().cgroupManager],
    log: context.log,
  }
}

/** How many descriptors of socket activation this process was given: sd_listen_fds(3). */
function countListenFds(env: Readonly<Record<string, string | undefined>>): number {
  const count = Number(env.LISTEN_FDS)
  return env.LISTEN_PID === String(process.pid) && Number.isSafeInteger(count) && count > 0 ? count : 0
}

/** What the front reports of a kept program that failed: five numbers, and what a helper wrote. */
function failureOf(env: Readonly<Record<string, string | undefined>>): CreateOptions['failure'] {
  const numbers = env.BUNDLE_TOOL_FAILURE?.trim().split(' ').map(Number)
  if (numbers?.length !== 5 || numbers.some(Number.isNaN)) return undefined
  const [step = 0, error = 0, syscall = 0, pid = 0, status = 0] = numbers
  return { step, error, syscall, pid, status, detail: env.BUNDLE_TOOL_FAILURE_DETAIL ?? '' }
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
