import type { Command } from 'commander'
import { printable } from '../text.ts'
import { type CommandContext, newCommand } from './context.ts'
import { withFormat } from './format.ts'
import { type RegistryFlags, registryOptions, withRegistryOptions } from './registry-options.ts'

/** `list-tags`: what a repository has. */
export function listTagsCommand(context: CommandContext): Command {
  const command = newCommand(context, {
    name: 'list-tags',
    usage: '[command options] <repository>|<place>',
    description: `Prints the tags of a repository, one a line, in the registry's order; or what the
images are called in oci:DIR, oci-archive:FILE, docker-archive:FILE or a FILE as
"bundle-tool copy" takes it, @0, @1 ... where they have no names.

EXAMPLES:
    bundle-tool list-tags alpine
    bundle-tool list-tags --json quay.io/centos/centos
    bundle-tool list-tags docker-archive:saved.tar`,
  })
  return withFormat(withRegistryOptions(command), { plain: 'text', json: 'a JSON object with "repository" and "tags"' })
    .argument('<repository>')
    .action(async (repository: string, flags: RegistryFlags) => {
      const { listTags } = await import('../verbs/image/list-tags.ts')
      const { stdin, interruption } = context.io
      const list = await listTags(repository, { ...registryOptions(context, flags), stdin, signal: interruption() })
      context.print(list, ({ tags }) => tags.map((tag) => `${printable(tag)}\n`).join(''))
    })
}
