import type { Command } from 'commander'
import { type CommandContext, newCommand, warner } from './context.ts'
import { withFormat } from './format.ts'

/** `logout`: credentials for a registry, forgotten. */
export function logoutCommand(context: CommandContext): Command {
  const command = newCommand(context, {
    name: 'logout',
    usage: '[command options] [registry]',
    description: `Removes what "bundle-tool login", docker or podman keep about a registry, or about
Docker Hub if none is named.

EXAMPLES:
    bundle-tool logout quay.io
    bundle-tool logout --authfile auth.json localhost:5000`,
  })
  return withFormat(command, { plain: 'text', json: 'a JSON object with "registry" and "removedFrom"' })
    .argument('[registry]')
    .option('--authfile <file>', 'the file to remove credentials from (default: all they are looked up in)')
    .action(async (registry: string | undefined, { authfile: authFile }: { authfile?: string }) => {
      const { logout } = await import('../verbs/image/logout.ts')
      const { env, stderr } = context.io
      const result = await logout(registry ?? 'docker.io', { authFile, env, warn: warner(context) })
      context.print(result, () => '')
      if (context.isJson()) return
      const { registry: name, removedFrom } = result
      const where = removedFrom.length === 0 ? 'no credentials were kept' : `removed from ${removedFrom.join(', ')}`
      stderr.write(`${name}: ${where}\n`)
    })
}
