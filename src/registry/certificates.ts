import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { rootCertificates } from 'node:tls'
import { isSystemError, OciError } from '../errors.ts'
import { configDirectory } from './home-directory.ts'

/** TLS settings for one registry; an absent member means the default. */
export interface Certificates {
  /** All authorities that are trusted. */
  readonly ca?: readonly string[]
  readonly cert?: string
  readonly key?: string
}

/** Directories with a subdirectory of certificates for each registry, best last. */
export function certificateRoots(env: NodeJS.ProcessEnv): readonly string[] {
  return ['/etc/docker/certs.d', '/etc/containers/certs.d', join(configDirectory(env), 'containers/certs.d')]
}

/**
 * Reads the certificates of a registry: `*.crt` are authorities; `NAME.cert` with `NAME.key` is the client certificate.
 *
 * @param directories the registry's own directories; missing ones are ignored
 * @throws OciError `ERR_CONFIG_INVALID` a certificate without its key, or the reverse, or a file that cannot be read
 * @see containers-certs.d(5)
 */
export async function readCertificates(
  directories: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<Certificates> {
  const authorities: string[] = []
  let own: Pick<Certificates, 'cert' | 'key'> = {}
  for (const directory of directories) {
    const names = await list(directory)
    for (const name of names.filter((name) => name.endsWith('.crt'))) authorities.push(await read(directory, name))
    for (const name of names.filter((name) => name.endsWith('.key'))) {
      const cert = name.replace(/\.key$/, '.cert')
      if (!names.includes(cert)) throw invalid(join(directory, name), `there is no ${cert} beside it`)
    }
    for (const name of names.filter((name) => name.endsWith('.cert'))) {
      const key = name.replace(/\.cert$/, '.key')
      if (!names.includes(key)) throw invalid(join(directory, name), `there is no ${key} beside it`)
      own = { cert: await read(directory, name), key: await read(directory, key) }
    }
  }
  if (authorities.length === 0) return own
  // Authorities given to a connection replace the default ones, including those of NODE_EXTRA_CA_CERTS.
  return { ...own, ca: [...rootCertificates, ...(await readExtra(env.NODE_EXTRA_CA_CERTS)), ...authorities] }
}

/** Reads NODE_EXTRA_CA_CERTS; a file that cannot be read is ignored, since Node.js itself warns about it. */
async function readExtra(path: string | undefined): Promise<string[]> {
  if (!path) return []
  try {
    const text = await readFile(path, 'utf8')
    return text === '' ? [] : [text]
  } catch (error) {
    if (isSystemError(error)) return []
    throw error
  }
}

async function list(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory)).sort()
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR')) return []
    throw invalid(directory, isSystemError(error) ? String(error.code) : String(error))
  }
}

async function read(directory: string, name: string): Promise<string> {
  try {
    return await readFile(join(directory, name), 'utf8')
  } catch (error) {
    throw invalid(join(directory, name), isSystemError(error) ? String(error.code) : String(error))
  }
}

const invalid = (path: string, why: string): OciError =>
  new OciError('ERR_CONFIG_INVALID', `cannot use the certificates of ${path}: ${why}`)
