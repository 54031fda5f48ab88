import type { Command } from 'commander'
import {
  type BundleFlags,
  bundleOptions,
  isDoneInNamespace,
  withBundleOptions,
  withProgress,
} from './bundle-options.ts'
import { compiledAhead } from './compiled-ahead.ts'
import { type ConfigFlags, changesOf, withConfigOptions } from './config-options.ts'
import { type CommandContext, newCommand, warner } from './context.ts'
import { tellNetwork } from './network-line.ts'

/** `unpack`: a bundle from a file or a directory. */
export function unpackCommand(context: CommandContext): Command {
  const command = newCommand(context, {
    name: 'unpack',
    usage: '[command options] <source> [-- <command> [arguments...]]',
    description: `Makes a bundle of an image without a network. SOURCE is one of

    docker-archive:FILE[:IMAGE]   what "docker save" writes
    oci-archive:FILE[:TAG]        an OCI image layout in a tar file
    oci:DIRECTORY[:TAG]           an OCI image layout
    docker-daemon:IMAGE           docker or podman, by its socket
    rootfs:FILE                   what "docker export" writes
    FILE                          any of these, found out by looking into it

FILE may be "-" for standard input: an archive of images then goes to $TMPDIR first.

EXAMPLES:
    bundle-tool unpack alpine.tar --out bundle
    docker save alpine:3.20 | bundle-tool unpack - --out bundle
    docker export demo | bundle-tool unpack rootfs:- --out bundle`,
  })
  return withConfigOptions(withBundleOptions(command).argument('<source>')).action(
    async (source: string, words: readonly string[], flags: BundleFlags & ConfigFlags) => {
      const changes = changesOf(flags, words, context.args)
      if (await isDoneInNamespace(context, flags)) return compiledAhead(context, flags.out)
      const { unpack } = await import('../verbs/image/unpack.ts')
      const { stdin, env } = context.io
      const result = await withProgress(context, flags, (reports) =>
        unpack(source, { ...bundleOptions(flags), ...reports, changes, stdin, env, warn: warner(context) }),
      )
      await compiledAhead(context, result.bundle)
      context.print(result, () => '')
      tellNetwork(context, flags, changes)
    },
  )
}
