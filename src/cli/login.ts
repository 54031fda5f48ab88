import type { Command } from 'commander'
import { OciError } from '../errors.ts'
import { type CommandContext, newCommand } from './context.ts'
import { withFormat } from './format.ts'
import type { PlainIO } from './io.ts'

interface LoginFlags {
  readonly username?: string
  readonly password?: string
  readonly passwordStdin?: boolean
  readonly authfile?: string
  readonly insecure?: boolean
}

const maxPasswordBytes = 64 * 1024

/** `login`: credentials for a registry, kept where docker and podman find them. */
export function loginCommand(context: CommandContext): Command {
  const command = newCommand(context, {
    name: 'login',
    summary: 'keep credentials for a registry',
    usage: '[command options] [registry]',
    description: `Asks the registry whether it accepts a user name and a password, and keeps them in
docker's config.json, where podman finds them too, or with the credential helper
that is set up there. The registry is Docker Hub if none is named.

EXAMPLES:
    bundle-tool login -u me --password-stdin quay.io < password
    bundle-tool login -u me -p secret localhost:5000`,
  })
  return withFormat(command, { plain: 'text', json: 'a JSON object with "registry" and "keptIn"' })
    .argument('[registry]')
    .option('-u, --username <name>', 'the user name')
    .option('-p, --password <password>', 'the password; others on this machine may see it: prefer --password-stdin')
    .option('--password-stdin', 'read the password from standard input')
    .option('--authfile <file>', 'the file to keep credentials in')
    .option('--insecure', 'allow plain http, and TLS that cannot be verified')
    .action(async (registry: string | undefined, flags: LoginFlags) => {
      const { username, authfile: authFile, insecure } = flags
      if (username === undefined) throw usage('the user name is missing', 'give it with --username')
      const password = await passwordOf(flags, context.io)
      const { login } = await import('../verbs/image/login.ts')
      const { env, stderr } = context.io
      const result = await login(registry ?? 'docker.io', { username, password, authFile, insecure, env })
      context.print(result, () => '')
      if (!context.isJson()) stderr.write(`logged in; the credentials are kept in ${result.keptIn}\n`)
    })
}

async function passwordOf({ password, passwordStdin }: LoginFlags, { stdin }: PlainIO): Promise<string> {
  if (passwordStdin && password !== undefined) throw usage('the password is given twice', 'give it once')
  if (password !== undefined) return password
  if (!passwordStdin) throw usage('the password is missing', 'give it to standard input, with --password-stdin')
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of stdin) {
    size += chunk.byteLength
    if (size > maxPasswordBytes) throw new OciError('ERR_LIMIT_EXCEEDED', 'what is on standard input is no password')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
    .toString('utf8')
    .replace(/\r?\n$/, '')
}

const usage = (message: string, hint: string): OciError => new OciError('ERR_USAGE', message, { hint })
