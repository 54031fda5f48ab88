import type { Command } from 'commander'
import type { ReferrerList } from '../verbs/image/list-referrers.ts'
import { formatBytes, formatColumns } from './columns.ts'
import { type CommandContext, newCommand } from './context.ts'
import { withFormat } from './format.ts'
import { type RegistryFlags, registryOptions, withRegistryOptions } from './registry-options.ts'

interface ListReferrersFlags extends RegistryFlags {
  readonly platform?: string
  readonly artifactType?: string
}

/** `list-referrers`: what has been attached to an image. */
export function listReferrersCommand(context: CommandContext): Command {
  const command = newCommand(context, {
    name: 'list-referrers',
    usage: '[command options] <image>',
    description: `Lists the manifests that name an image as their subject, in its registry, layout or
OCI archive. "bundle-tool copy --referrers" copies them with it.

EXAMPLES:
    bundle-tool list-referrers ghcr.io/team/app:1
    bundle-tool list-referrers --artifact-type application/spdx+json ghcr.io/team/app:1`,
  })
  const json = 'a JSON object with "subject" and "referrers"'
  return withFormat(withRegistryOptions(command), { plain: 'table', json })
    .argument('<image>')
    .option('--artifact-type <type>', 'only those of this type')
    .option('--platform <os/arch>', 'those of the image for this platform (default: those of the index)')
    .action(async (image: string, flags: ListReferrersFlags) => {
      const { listReferrers } = await import('../verbs/image/list-referrers.ts')
      const { stdin, interruption } = context.io
      const options = { ...registryOptions(context, flags), stdin, signal: interruption() }
      const { platform, artifactType } = flags
      context.print(await listReferrers(image, { ...options, platform, artifactType }), formatReferrers)
    })
}

function formatReferrers({ referrers }: ReferrerList): string {
  const rows = referrers.map(({ digest, artifactType = '', size }) => [digest, artifactType, formatBytes(size)])
  return formatColumns(['DIGEST', 'TYPE', 'SIZE'], rows)
}
