import type { Command } from 'commander'
import type { FileChange } from '../verbs/image/diff.ts'
import { type CommandContext, newCommand, warner } from './context.ts'
import { withFormat } from './format.ts'
import { type StoreFlags, withStoreOption } from './store-option.ts'

const letters = { added: 'A', changed: 'C', deleted: 'D' } as const

/** `diff`: what was changed in a bundle. */
export function diffCommand(context: CommandContext): Command {
  const command = newCommand(context, {
    name: 'diff',
    usage: '[command options] <bundle>',
    description: `Compares the rootfs of a bundle with the image it was made of, and prints a line for
each file that was added (A), changed (C) or deleted (D): what "repack" makes a layer
of. The image must be in the store, or named with --base.

EXAMPLES:
    bundle-tool diff bundle
    bundle-tool diff --json --base oci:images:alpine bundle`,
  })
  return withFormat(withStoreOption(command), { plain: 'text', json: 'a JSON array with "kind" and "path" of each' })
    .argument('<bundle>')
    .option('--base <name>', 'the image the bundle was made of, as oci:<directory>[:<tag>]')
    .action(async (bundle: string, { base, store }: StoreFlags & { readonly base?: string }) => {
      const { diff } = await import('../verbs/image/diff.ts')
      const { env, interruption } = context.io
      const changes = await diff({ bundle, base, store, env, signal: interruption(), warn: warner(context) })
      context.print(changes, (all) => all.map(line).join(''))
    })
}

const line = ({ kind, path }: FileChange): string => `${letters[kind]} ${path}\n`
