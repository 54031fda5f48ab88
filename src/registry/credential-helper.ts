import { spawn } from 'node:child_process'
import { isSystemError, OciError } from '../errors.ts'
import { parseJsonIfAny } from '../oci/json.ts'
import type { Credentials } from './credential-provider.ts'

const timeoutMs = 60_000
const maxAnswerBytes = 1024 * 1024

/**
 * Gets the credentials for a server from a credential helper; undefined when the helper has none.
 * @param name as in config.json: the program is `docker-credential-<name>`
 * @throws OciError `ERR_REGISTRY_AUTH` the helper is not installed, fails, or gives an invalid answer
 * @see docker-credential-helpers README "Development"
 */
export async function askHelper(
  name: string,
  server: string,
  env: NodeJS.ProcessEnv,
): Promise<Credentials | undefined> {
  const { status, output } = await run(name, 'get', { input: server, env })
  if (status !== 0) {
    if (/credentials not found in native keychain/.test(output)) return undefined
    throw new OciError('ERR_REGISTRY_AUTH', `docker-credential-${name} does not give the credentials of ${server}`, {
      hint: `run "docker-credential-${name} get" with ${server} as its input, to see why`,
    })
  }
  return parseAnswer(output, name)
}

/** Stores a user name and a password in a helper. */
export async function storeInHelper(
  name: string,
  { server, username, password }: { readonly server: string; readonly username: string; readonly password: string },
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const input = JSON.stringify({ ServerURL: server, Username: username, Secret: password })
  const { status } = await run(name, 'store', { input, env })
  if (status !== 0) throw new OciError('ERR_REGISTRY_AUTH', `docker-credential-${name} cannot store the credentials`)
}

/** Removes a server's credentials from a helper; a server that it does not know is no error. */
export async function eraseInHelper(name: string, server: string, env: NodeJS.ProcessEnv): Promise<void> {
  await run(name, 'erase', { input: server, env })
}

/** Member names count in any case, as they do for Go's decoder, which docker and podman read the answer with. */
function parseAnswer(output: string, name: string): Credentials {
  const members = Object.entries(Object(parseJsonIfAny(output)))
  const member = (wanted: string): unknown => members.find(([key]) => key.toLowerCase() === wanted)?.[1]
  const [username, secret] = [member('username'), member('secret')]
  if (typeof username !== 'string' || typeof secret !== 'string') {
    throw new OciError('ERR_REGISTRY_AUTH', `docker-credential-${name} answers with something other than credentials`)
  }
  if (username === '' || secret === '') {
    const what = username === '' ? 'user name' : 'password'
    throw new OciError('ERR_REGISTRY_AUTH', `docker-credential-${name} answers with an empty ${what}`)
  }
  if (username === '<token>') return { kind: 'identity-token', token: secret }
  return { kind: 'password', username, password: secret }
}

interface Run {
  readonly input: string
  readonly env: NodeJS.ProcessEnv
}

async function run(
  name: string,
  action: 'get' | 'store' | 'erase',
  { input, env }: Run,
): Promise<{ readonly status: number; readonly output: string }> {
  if (!/^[\w.-]+$/.test(name)) {
    throw new OciError('ERR_REGISTRY_AUTH', `"${name}" is not the name of a credential helper`)
  }
  const program = `docker-credential-${name}`
  const child = spawn(program, [action], { env, stdio: ['pipe', 'pipe', 'inherit'] })
  // spawn's own timeout would keep the process alive for its whole length when the program cannot be run.
  const timer = setTimeout(() => child.kill(), timeoutMs)
  const chunks: Buffer[] = []
  let size = 0
  child.stdout.on('data', (chunk: Buffer) => {
    size += chunk.length
    if (size <= maxAnswerBytes) chunks.push(chunk)
    else child.kill()
  })
  // A helper that does not read its input is no error here.
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  const ended = new Promise<{ readonly status: number; readonly output: string }>((resolve, reject) => {
    child.once('close', (code) => resolve({ status: code ?? 1, output: Buffer.concat(chunks).toString('utf8') }))
    child.once('error', (cause) => {
      const why = isSystemError(cause, 'ENOENT') ? 'is not installed' : `cannot be run: ${cause.message}`
      const hint = `install ${program}, or remove it from config.json`
      reject(new OciError('ERR_REGISTRY_AUTH', `the credential helper ${program} ${why}`, { hint, cause }))
    })
  })
  return ended.finally(() => clearTimeout(timer))
}
