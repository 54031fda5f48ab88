import { existsSync } from 'node:fs'
import { isSystemError, OciError } from '../errors.ts'
import { parseJsonIfAny } from '../oci/json.ts'
import { formatReference, parseReference } from '../oci/reference.ts'
import { isOfConnection, maxErrorBytes } from '../registry/http.ts'
import { redactText } from '../registry/redact.ts'
import { openSpooledTar, type TarIndex } from './tar-index.ts'

export interface DaemonOptions {
  /** Environment, in which `DOCKER_HOST` names the socket. Default: that of the process. */
  readonly env?: NodeJS.ProcessEnv | undefined
  readonly signal?: AbortSignal | undefined
}

/** The sockets of docker and podman, rootless ones first. */
function socketPaths(env: NodeJS.ProcessEnv): readonly string[] {
  const run = env.XDG_RUNTIME_DIR
  const own = run === undefined ? [] : [`${run}/docker.sock`, `${run}/podman/podman.sock`]
  return [...own, '/run/docker.sock', '/var/run/docker.sock', '/run/podman/podman.sock']
}

/**
 * Fetches an image from a docker or podman daemon, as `docker save` does, into an unnamed temporary file.
 *
 * @param name a reference, or an image ID
 * @throws OciError `ERR_IMAGE_NOT_FOUND`; `ERR_NETWORK` no daemon answers; `ERR_NOT_SUPPORTED` the daemon is on another
 *   machine; `ERR_REGISTRY` the daemon answers with another error
 * @see Docker Engine API 1.41 "ImageGet"
 */
export async function openDaemonArchive(name: string, options: DaemonOptions): Promise<TarIndex> {
  const { env = process.env, signal } = options
  const image = /^(sha256:)?[0-9a-f]{64}$/.test(name) ? name : formatReference(parseReference(name))
  const socketPath = socketOf(env)
  const { default: undici } = await import('undici')
  const client = new undici.Client('http://localhost', { socketPath, bodyTimeout: 0, headersTimeout: 0 })
  try {
    const path = `/images/${encodeURIComponent(image)}/get`
    const { statusCode, body } = await client.request({ method: 'GET', path, signal: signal ?? null })
    const what = `${image} from the daemon at ${socketPath}`
    if (statusCode === 200) return await spool(body, { name: `docker-daemon:${name}`, what, signal })
    throw refusal(statusCode, await readAnswer(body), what)
  } catch (cause) {
    if (signal?.aborted) throw signal.reason
    if (isSystemError(cause)) {
      throw new OciError('ERR_NETWORK', `the daemon at ${socketPath} cannot be reached: ${cause.code}`, {
        hint: 'check that it runs and that you may use its socket',
        cause,
      })
    }
    if (cause instanceof OciError || !isOfConnection(cause)) throw cause
    throw new OciError('ERR_NETWORK', `the daemon at ${socketPath} ends its answer too early: ${cause.message}`, {
      hint: 'look into the log of the daemon',
      cause,
    })
  } finally {
    await client.destroy()
  }
}

interface Spooling {
  readonly name: string
  readonly what: string
  readonly signal: AbortSignal | undefined
}

/** The most bytes of an error at the end of an archive that are read. */
const maxTailBytes = 4096

/** Keeps the archive. An error that a daemon meets while it sends one is written after what has been sent. */
async function spool(body: AsyncIterable<Uint8Array>, { name, what, signal }: Spooling): Promise<TarIndex> {
  let tail = Buffer.alloc(0)
  async function* withTail(): AsyncGenerator<Uint8Array> {
    for await (const chunk of body) {
      tail = Buffer.concat([tail, chunk.subarray(-maxTailBytes)]).subarray(-maxTailBytes)
      yield chunk
    }
  }
  try {
    return await openSpooledTar(name, withTail(), signal)
  } catch (error) {
    const [text = ''] = /\{"error(?:Detail)?":.*$/s.exec(tail.toString('utf8')) ?? []
    const value = parseJsonIfAny(text)
    const said: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, 'error') : undefined
    if (!(error instanceof OciError) || typeof said !== 'string') throw error
    throw new OciError('ERR_REGISTRY', `cannot get ${what}: ${redactText(said)}`, { cause: error })
  }
}

/** The error for another answer than 200, with what the daemon says about it. */
function refusal(status: number, said: string, what: string): OciError {
  const text = `cannot get ${what}: ${said === '' ? `it answers ${status}` : `${said} (${status})`}`
  if (status !== 404) return new OciError('ERR_REGISTRY', text)
  return new OciError('ERR_IMAGE_NOT_FOUND', text, { hint: 'list its images with "docker images"' })
}

/** The message of an error document: `message` of docker's and podman's, or a text that is not JSON. */
async function readAnswer(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.byteLength
    if (size > maxErrorBytes) return ''
    chunks.push(chunk)
  }
  const text = Buffer.concat(chunks).toString('utf8')
  const value = parseJsonIfAny(text)
  const message: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, 'message') : text
  return typeof message === 'string' ? redactText(message) : ''
}

function socketOf(env: NodeJS.ProcessEnv): string {
  const host = env.DOCKER_HOST ?? ''
  if (host === '') {
    const found = socketPaths(env).find((path) => existsSync(path))
    if (found !== undefined) return found
    throw new OciError('ERR_NETWORK', 'there is no socket of docker or podman', {
      hint: 'start the daemon, or name its socket as in DOCKER_HOST=unix:///run/docker.sock',
    })
  }
  if (host.startsWith('unix://')) return host.slice('unix://'.length)
  throw new OciError('ERR_NOT_SUPPORTED', `DOCKER_HOST is "${host}", and only unix:// is supported`)
}
