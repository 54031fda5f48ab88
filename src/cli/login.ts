import type { Command } from 'commander'
import { OciError } from '../errors.ts'
import type { Question } from './ask.ts'
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
    usage: '[command options] [registry]',
    description: `Asks the registry whether it accepts a user name and a password, and keeps them in
docker's config.json, where podman finds them too, or with the credential helper
that is set up there. The registry is Docker Hub if none is named. On a terminal the
user name and the password are asked for, unless they are given.

EXAMPLES:
    bundle-tool login quay.io
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
      const { authfile: authFile, insecure } = flags
      const { env, stderr, interruption } = context.io
      const signal = interruption()
      const credentials = await credentialsOf(flags, context.io, signal)
      const { login } = await import('../verbs/image/login.ts')
      const result = await login(registry ?? 'docker.io', { ...credentials, authFile, insecure, env, signal })
      context.print(result, () => '')
      if (!context.isJson()) stderr.write(`logged in; the credentials are kept in ${result.keptIn}\n`)
    })
}

interface Credentials {
  readonly username: string
  readonly password: string
}

/** The user name and the password that the flags have; what is missing is asked for, where there is somebody to ask. */
async function credentialsOf(flags: LoginFlags, io: PlainIO, signal: AbortSignal): Promise<Credentials> {
  const { username, passwordStdin } = flags
  if (passwordStdin && flags.password !== undefined) throw usage('the password is given twice', 'give it once')
  if (passwordStdin && username === undefined) throw usage('the user name is missing', 'give it with --username')
  const password = passwordStdin ? await readPassword(io.stdin) : flags.password
  const questions: readonly Question[] = [
    ...(username === undefined ? [{ prompt: 'Username: ' }] : []),
    ...(password === undefined ? [{ prompt: 'Password: ', isSecret: true }] : []),
  ]
  if (questions.length > 0 && io.ask === undefined) throw noTerminal(flags)
  const answers = questions.length === 0 ? [] : ((await io.ask?.(questions, signal)) ?? [])
  return { username: username ?? answers[0] ?? '', password: password ?? answers.at(-1) ?? '' }
}

function noTerminal({ username, password }: LoginFlags): OciError {
  const what = username === undefined ? 'user name' : 'password'
  const hints = [
    ...(username === undefined ? ['name the user with --username'] : []),
    ...(password === undefined ? ['give the password to standard input, with --password-stdin'] : []),
  ]
  return usage(`the ${what} is missing, and there is no terminal to ask on`, hints.join(', and '))
}

async function readPassword(stdin: PlainIO['stdin']): Promise<string> {
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
