import type { Command } from 'commander'
import type { CopyOptions } from '../verbs/image/copy.ts'
import { type CommandContext, newCommand, warner } from './context.ts'
import { withFormat } from './format.ts'
import { nothingForTerminal } from './nothing-for-terminal.ts'
import { showProgress } from './progress.ts'
import { type RegistryFlags, registryOptions, withForeignLayers, withRegistryOptions } from './registry-options.ts'

export interface CopyFlags extends RegistryFlags {
  readonly all?: boolean
  readonly referrers?: boolean
  readonly platform?: string
  readonly policy?: string
  readonly quiet?: boolean
}

/** Gives a command the flags that `copy` and `push` share. */
export function withCopyOptions(command: Command): Command {
  const json = 'a JSON object with "target" and "digest", and no progress'
  return withFormat(withForeignLayers(withRegistryOptions(command)), { plain: 'text', json })
    .option('-a, --all', 'copy the images for all platforms, and the index that lists them')
    .option('--referrers', 'also copy what refers to the image: signatures, SBOMs and the like')
    .option('--platform <os/arch>', 'which image of several, as os/arch or os/arch/variant (default: for this host)')
    .option('--policy <file>', "which images may be used as the source (default: containers' policy.json)")
    .option('-q, --quiet', 'do not show how it is coming on')
}

/** Shows how the blobs of a copy are coming on while `work` is at it. */
export async function withCopyProgress<T>(
  context: CommandContext,
  { quiet }: CopyFlags,
  work: (reports: Required<Pick<CopyOptions, 'onProgress' | 'onBlob'>>) => Promise<T>,
): Promise<T> {
  const progress = showProgress({ output: context.io.stderr, isQuiet: quiet || context.isJson() })
  try {
    return await work({
      onProgress: ({ blob: { digest, size }, bytes }) =>
        progress.update({ kind: 'copying', name: digest, bytes, size }),
      onBlob: ({ blob: { digest, size }, wasThere }) => {
        progress.update({ kind: 'copied', name: digest, size, wasThere })
        context.log('debug', `${digest}: ${wasThere ? 'is there' : 'copied'}`)
      },
    })
  } finally {
    progress.end()
  }
}

/** `copy`: an image from one place to another. */
export function copyCommand(context: CommandContext): Command {
  const command = newCommand(context, {
    name: 'copy',
    usage: '[command options] <source> <target>',
    description: `Copies an image as it is: digests stay the same. Prints the digest. Places are

    IMAGE or docker://IMAGE        a registry
    oci:DIRECTORY[:TAG]            an OCI image layout
    oci-archive:FILE[:TAG]         one in a tar file
    docker-archive:FILE[:IMAGE]    what "docker save" writes and "docker load" reads
    docker-daemon:IMAGE            docker or podman, by its socket; to read from only
    FILE or DIRECTORY              one of these, found out by looking into it, if its
                                   name begins with / or . or ends in .tar or the like;
                                   to read from only

FILE may be "-": standard input, which goes to $TMPDIR first, or in the target standard
output; the digest goes to standard error then.

EXAMPLES:
    bundle-tool copy alpine:3.20 oci:images:alpine
    bundle-tool copy --all alpine:3.20 localhost:5000/alpine:3.20
    bundle-tool copy oci:images:alpine docker-archive:alpine.tar:alpine:3.20
    bundle-tool copy alpine:3.20 docker-archive:-:alpine:3.20 | docker load
    docker save alpine:3.20 | bundle-tool copy - oci:images:alpine`,
  })
  return withCopyOptions(command)
    .argument('<source>')
    .argument('<target>')
    .option('--dest-creds <user:password>', 'credentials of the target (default: as --creds)')
    .option('--src-insecure', 'as --insecure, for the source alone')
    .option('--dest-insecure', 'as --insecure, for the target alone')
    .action(async (source: string, target: string, flags: CopyFlags & SidedFlags) => {
      const { copy } = await import('../verbs/image/copy.ts')
      const { stdin, stdout, stderr, writeBytes } = context.io
      const isToOutput = /^(?:oci|docker)-archive:-(?::|$)/.test(target)
      if (isToOutput && stdout.isTTY) throw nothingForTerminal('name a file in the place of "-"')
      const result = await withCopyProgress(context, flags, (reports) =>
        copy(source, target, {
          ...registryOptions(context, flags),
          ...reports,
          all: flags.all,
          referrers: flags.referrers,
          platform: flags.platform,
          policy: flags.policy,
          targetCredentials: flags.destCreds,
          sourceInsecure: flags.srcInsecure,
          targetInsecure: flags.destInsecure,
          stdin,
          output: writeBytes,
          signal: context.io.interruption(),
          warn: warner(context),
        }),
      )
      context.print(
        result,
        ({ digest }) => `${digest}
`,
        isToOutput ? stderr : stdout,
      )
    })
}

interface SidedFlags {
  readonly destCreds?: string
  readonly srcInsecure?: boolean
  readonly destInsecure?: boolean
}
