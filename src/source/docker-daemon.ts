import { existsSync } from 'node:fs'
import { isSystemError, OciError } from '../errors.ts'
import { formatReference, parseReference } from '../oci/reference.ts'
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
 *   machine
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
    if (statusCode === 200) return await openSpooledTar(`docker-daemon:${name}`, body, signal)
    await body.dump()
    throw new OciError('ERR_IMAGE_NOT_FOUND', `the daemon at ${socketPath} answers ${statusCode} for ${image}`, {
      hint: 'list its images with "docker images"',
    })
  } catch (cause) {
    if (signal?.aborted) throw signal.reason
    if (!isSystemError(cause)) throw cause
    throw new OciError('ERR_NETWORK', `the daemon at ${socketPath} cannot be reached: ${cause.code}`, {
      hint: 'check that it runs and that you may use its socket',
      cause,
    })
  } finally {
    await client.destroy()
  }
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
