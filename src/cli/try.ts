import { type Command, Option } from 'commander'
import { OciError } from '../errors.ts'
import type { OwnTryOptions } from '../verbs/container/try-image.ts'
import type { PullPolicy } from '../verbs/image/tried-image.ts'
import { withProgress } from './bundle-options.ts'
import { reportsOf } from './call-options.ts'
import { type ConfigFlags, changesOf, withConfigOptions } from './config-options.ts'
import { type CommandContext, newCommand } from './context.ts'
import { cgroupManagers, rootOf } from './globals.ts'
import { type RegistryFlags, registryOptions, withRegistryOptions } from './registry-options.ts'
import { type StoreFlags, withStoreOption } from './store-option.ts'
import { describeTry, hasTerminal } from './try-call.ts'

interface OwnFlags extends RegistryFlags, StoreFlags {
  readonly name?: string
  readonly keep?: boolean
  readonly pull: PullPolicy
  readonly platform?: string
  readonly policy?: string
  readonly quiet?: boolean
  readonly subids?: boolean
}

/** `try`: an image, run in one step. */
export function tryCommand(context: CommandContext): Command {
  const command = newCommand(context, {
    name: 'try',
    usage: '[command options] <image> [command] [arguments...]',
    description: `Runs an image of a registry, or of a file as "unpack" takes it, and exits as its
program does. There is a terminal if this is one, a filter of system calls, and a
network by pasta where that is installed and works, else the host's. What the
container writes is in memory, and gone at the end; the image and its unpacked files
stay in the store, for the next time.

EXAMPLES:
    bundle-tool try alpine:3.20
    bundle-tool try --memory 512m alpine.tar cat /etc/os-release`,
  })
  const named = command
    .option('--name <id>', "the container's ID (default: one made for it)")
    .option('--keep', 'keep the bundle, with what was written, in a directory named as the container')
    .addOption(
      new Option('--pull <when>', 'whether to fetch an image that the store has')
        .choices(['always', 'missing', 'never'])
        .default('missing', 'missing'),
    )
    .option('--platform <os/arch>', 'which image of several, as os/arch or os/arch/variant (default: for this host)')
    .option('--no-subids', 'without root: give all files to you alone, though you have ids in /etc/subuid')
    .option('--policy <file>', "which images may be used (default: containers' policy.json)")
    .option('-q, --quiet', 'do not show how it is coming on')
    .option('--rm', "nothing: for those who write docker's flags, as -i is")
    .option('-i, --interactive', 'nothing: standard input is always passed on')
  return withConfigOptions(withStoreOption(withRegistryOptions(named)).argument('<image>')).action(
    async (image: string, words: readonly string[], flags: OwnFlags & ConfigFlags) => {
      context.exit(await runImage(context, { image, words, flags }))
    },
  )
}

interface Tried {
  readonly image: string
  readonly words: readonly string[]
  readonly flags: OwnFlags & ConfigFlags
}

async function runImage(context: CommandContext, { image, words, flags }: Tried): Promise<number> {
  const { io, globals, log } = context
  const { name, keep, pull, platform, policy, store } = flags
  if (/(?:^|:)-$/.test(image)) {
    throw new OciError('ERR_USAGE', "standard input is the container's, and no archive is read from it", {
      hint: 'write the archive to a file first, or use "unpack -" and "run"',
    })
  }
  const { tryImage } = await import('../verbs/container/try-image.ts')
  const changes = { tty: hasTerminal(), ...changesOf(flags, words, ['--', ...words]) }
  const isPlain = !keep && name === undefined && !globals().debug && globals().cgroupManager === 'cgroupfs'
  return await tryImage(image, {
    ...registryOptions(context, flags),
    ...(await preparation(context, flags)),
    changes,
    name,
    keep,
    pull,
    platform,
    policy,
    store,
    root: rootOf(context),
    systemdCgroup: cgroupManagers[globals().cgroupManager],
    forwardSignals: true,
    reports: reportsOf(io.env),
    keptCall: isPlain ? describeTry(context.args, io.env) : undefined,
    onKept: (bundle) => io.stderr.write(`kept: ${bundle}\n`),
    log: (message) => log('debug', message),
  })
}

/**
 * The ways to make a bundle and to remove it. A user with subordinate ids has it made where these are, by a process that shows the
 * progress itself. The progress is gone before the container starts, whose terminal it is then.
 */
async function preparation(
  context: CommandContext,
  { subids = true, quiet = false }: OwnFlags,
): Promise<Pick<OwnTryOptions, 'prepare' | 'discard'>> {
  const { io } = context
  if (subids && io.euid !== 0) {
    const { hasSubids, prepareTryWithSubids, removeWithSubids } = await import('../verbs/container/try-with-subids.ts')
    const how = { name: io.name, env: io.env, isQuiet: quiet }
    if (hasSubids()) {
      return {
        prepare: (image, options) => prepareTryWithSubids(image, { ...options, signal: io.interruption() }, how),
        discard: (bundle) => removeWithSubids(bundle, how),
      }
    }
  }
  const { prepareTry } = await import('../verbs/image/prepare-try.ts')
  return {
    prepare: (image, options) =>
      withProgress(context, { quiet }, (reports) => prepareTry(image, { ...options, ...reports })),
  }
}
