import type { Command } from 'commander'
import { withBundleOption } from './container-options.ts'
import { type CommandContext, newCommand } from './context.ts'
import { type CriuFlags, criuOptions, warnRootless, withCriuOptions } from './criu-options.ts'
import { cgroupManagers, rootOf } from './globals.ts'

interface RestoreFlags extends CriuFlags {
  readonly bundle?: string
  readonly consoleSocket?: string
  readonly pidFile?: string
  readonly detach?: boolean
  readonly subreaper: boolean
  readonly pivot: boolean
  readonly lsmProfile?: string
  readonly lsmMountContext?: string
}

/** `restore`: a container with the processes that `checkpoint` has saved. */
export function restoreCommand(context: CommandContext): Command {
  const command = newCommand(context, {
    name: 'restore',
    usage: '[command options] <container-id>',
    description: `Makes a container for a bundle whose processes go on where they were saved, and
exits as "run" does.

EXAMPLES:
    bundle-tool restore -b bundle --image-path /var/lib/demo demo
    bundle-tool restore --detach --pid-file demo.pid -b bundle demo`,
  })
  return withBundleOption(withCriuOptions(command).argument('<container-id>'))
    .option('--console-socket <path>', "a unix socket to send the container's terminal to")
    .option('-d, --detach', 'return when the container is running')
    .option('--pid-file <file>', 'write the process ID of the container to this file')
    .option('--no-subreaper', "leave orphaned processes of the container to the caller's reaper")
    .option('--no-pivot', "how the container's root was changed; CRIU has its own way")
    .option('--lsm-profile <type:name>', 'the LSM profile of the processes, selinux:LABEL or apparmor:PROFILE')
    .option('--lsm-mount-context <label>', 'the SELinux label of what is mounted')
    .action(async (id: string, flags: RestoreFlags) => {
      const { restore } = await import('../verbs/container/restore.ts')
      warnRootless(context)
      const { bundle = '.', consoleSocket, pidFile, detach, subreaper, pivot, lsmProfile, lsmMountContext } = flags
      const { env } = context.io
      const status = await restore({
        ...criuOptions(flags),
        id,
        bundle,
        root: rootOf(context),
        consoleSocket,
        pidFile,
        detach,
        forwardSignals: true,
        noSubreaper: !subreaper,
        noPivot: !pivot,
        lsmProfile,
        lsmMountContext,
        notifySocket: env.NOTIFY_SOCKET || undefined,
        systemdCgroup: cgroupManagers[context.globals().cgroupManager],
        log: context.log,
      })
      context.exit(status)
    })
}
