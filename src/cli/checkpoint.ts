import { type Command, InvalidArgumentError } from 'commander'
import type { CheckpointOptions } from '../verbs/container/checkpoint.ts'
import { type CommandContext, newCommand } from './context.ts'
import { type CriuFlags, criuOptions, parsePageServer, warnRootless, withCriuOptions } from './criu-options.ts'
import { rootOf } from './globals.ts'

interface CheckpointFlags extends CriuFlags {
  readonly parentPath?: string
  readonly leaveRunning?: boolean
  readonly tcpSkipInFlight?: boolean
  readonly linkRemap?: boolean
  readonly statusFd?: number
  readonly pageServer?: CheckpointOptions['pageServer']
  readonly preDump?: boolean
}

/** `checkpoint`: the processes of a container into files. */
export function checkpointCommand(context: CommandContext): Command {
  const command = newCommand(context, {
    name: 'checkpoint',
    usage: '[command options] <container-id>',
    description: `Saves what a container's processes are doing, and ends and deletes it, unless
it is to be left running. "bundle-tool restore" makes a container of the files.

EXAMPLES:
    bundle-tool checkpoint --image-path /var/lib/demo demo
    bundle-tool checkpoint --leave-running --tcp-established demo`,
  })
  return withCriuOptions(command)
    .argument('<container-id>')
    .option('--parent-path <directory>', 'images of an earlier pre-dump, relative to --image-path')
    .option('--leave-running', 'let the container go on')
    .option('--tcp-skip-in-flight', 'leave out TCP connections that are not established yet')
    .option('--link-remap', 'allow open files that have been unlinked, by a link to them for a while')
    .option('--status-fd <fd>', 'a file descriptor that gets a NUL byte when lazy pages can be fetched', parseFd)
    .option('--page-server <address>', 'send memory to a page server, ADDRESS:PORT', parsePageServer)
    .option('--pre-dump', 'save only the memory, and let the container go on')
    .action(async (id: string, flags: CheckpointFlags) => {
      const { checkpoint } = await import('../verbs/container/checkpoint.ts')
      warnRootless(context)
      const warn = (message: string): void => context.log('warning', message)
      const { parentPath, leaveRunning, tcpSkipInFlight, linkRemap, statusFd, pageServer, preDump } = flags
      const own = { parentPath, leaveRunning, tcpSkipInFlight, linkRemap, statusFd, pageServer, preDump }
      await checkpoint({ ...criuOptions(flags), ...own, root: rootOf(context), id, warn })
    })
}

/** -1 is none. */
function parseFd(text: string): number | undefined {
  if (text === '-1') return undefined
  if (/^\d{1,7}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('it must be the number of a file descriptor')
}
