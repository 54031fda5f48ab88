import { type Command, InvalidArgumentError } from 'commander'
import { frontOptions, parseCount } from './container-options.ts'
import { type CommandContext, newCommand, rootOf } from './context.ts'

/** The flags as commander names them: `--no-x` is the option `x`, false when given. */
interface ExecFlags {
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

/** `exec`: one more process in a running container. */
export function execCommand(context: CommandContext): Command {
  return newCommand(context, {
    name: 'exec',
    summary: 'run one more process in a container',
    usage: '[command options] <container-id> <command> [arguments...]\n[command options] -p FILE <container-id>',
    description: `Runs a command as the container's own process runs, but for what the flags
change, and exits as it does. What follows the container ID belongs to the
command. Exit code 255: it could not be run.

EXAMPLES:
    bundle-tool exec demo ps -ef
    bundle-tool exec --tty --user 1000:1000 demo sh`,
  })
    .argument('<container-id>')
    .argument('[words...]')
    .option('--console-socket <path>', 'a unix socket to send the terminal to')
    .option('--pidfd-socket <path>', 'a unix socket to send a pidfd of the process to')
    .option('--cwd <directory>', 'the working directory in the container')
    .option('-e, --env <variable>', 'a variable to set, NAME=value; may be repeated', append, [])
    .option('-t, --tty', 'give the process a terminal')
    .option('-u, --user <ids>', 'user ID, or user ID:group ID')
    .option('-g, --additional-gids <gid>', 'a supplementary group ID; may be repeated', appendGid, [])
    .option('-p, --process <file>', 'a file with the whole process, as "process" in config.json')
    .option('-d, --detach', 'return when the process runs')
    .option('--pid-file <file>', 'write the process ID to this file')
    .option('--process-label <label>', 'the SELinux label of the process')
    .option('--apparmor <profile>', 'the AppArmor profile of the process')
    .option('--no-new-privs', 'keep the process from gaining privileges by execve(2)')
    .option('-c, --cap <capability>', 'a capability to add; may be repeated', append, [])
    .option('--preserve-fds <count>', 'pass this many file descriptors from 3 on to the process', parseCount, 0)
    .option('--cgroup <path>', "a cgroup below the container's, [controller,...:]path; may be repeated", append, [])
    .option('--ignore-paused', 'let the process wait in a paused container')
    .option('--no-subreaper', "leave orphaned processes to the caller's reaper")
    .action(async (id: string, args: readonly string[], flags: ExecFlags) => {
      const { exec } = await import('../exec.ts')
      const status = await exec({
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
      })
      context.exit(status)
    })
}

function append(value: string, values: readonly string[]): readonly string[] {
  return [...values, value]
}

function appendGid(text: string, gids: readonly number[]): readonly number[] {
  if (!/^\d{1,10}$/.test(text) || Number(text) >= 2 ** 32 - 1) throw new InvalidArgumentError('it must be a group ID')
  return [...gids, Number(text)]
}
