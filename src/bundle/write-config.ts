import { randomBytes } from 'node:crypto'
import { chmod, chown, lstat, mkdir, realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { isSystemError, leadsNowhere, OciError } from '../errors.ts'
import { formatExactJson } from '../oci/json.ts'
import type { RuntimeConfig } from '../oci/runtime-config.ts'
import type { BundleFile } from './changes/names.ts'

/**
 * Writes `bundle/config.json`, replacing an existing one atomically: a concurrent reader gets the old or the new one whole.
 *
 * @throws OciError `ERR_BUNDLE_INVALID` the bundle is not a directory
 */
export async function writeRuntimeConfig(bundle: string, config: RuntimeConfig): Promise<void> {
  const target = join(bundle, 'config.json')
  const temporary = join(bundle, `.config.json.${randomBytes(6).toString('hex')}`)
  try {
    await writeFile(temporary, formatRuntimeConfig(config), { flag: 'wx', mode: 0o666 })
    await rename(temporary, target)
  } catch (cause) {
    await removeIfPossible(temporary)
    throw leadsNowhere(cause) ? noDirectory(bundle, cause) : cause
  }
}

const noDirectory = (bundle: string, cause: unknown): OciError =>
  new OciError('ERR_BUNDLE_INVALID', `bundle "${bundle}" is not a directory`, {
    hint: `make one with "bundle-tool pull IMAGE --out ${bundle}", or name another one with --bundle`,
    cause,
  })

/**
 * Replaces the text of a config.json, which keeps its owner and its permissions; a link to one stays. Whoever reads it at the
 * same time, and whoever reads it after a crash, sees the old text or the new one whole.
 */
export async function replaceConfigText(bundle: string, text: string): Promise<void> {
  const target = await realpath(join(bundle, 'config.json'))
  const { mode, uid, gid } = await stat(target)
  const temporary = join(dirname(target), `.config.json.${randomBytes(6).toString('hex')}`)
  try {
    await writeFile(temporary, text, { flag: 'wx', mode: 0o600, flush: true })
    const made = await stat(temporary)
    if (made.uid !== uid || made.gid !== gid) await chown(temporary, uid, gid)
    await chmod(temporary, mode & 0o7777)
    await rename(temporary, target)
  } catch (error) {
    await removeIfPossible(temporary)
    throw error
  }
}

/**
 * Writes files beside config.json, each replaced whole. A container that runs keeps the file that it has mounted.
 *
 * @throws OciError `ERR_BUNDLE_INVALID` the directory of one is a link, or no directory
 */
export async function writeBundleFiles(bundle: string, files: readonly BundleFile[]): Promise<void> {
  for (const { path, content } of files) {
    const target = join(bundle, path)
    const directory = dirname(target)
    await makeOwnDirectory(bundle, directory)
    const temporary = join(directory, `.${basename(path)}.${randomBytes(6).toString('hex')}`)
    try {
      await writeFile(temporary, content, { flag: 'wx', mode: 0o644 })
      await chmod(temporary, 0o644)
      await rename(temporary, target)
    } catch (error) {
      await removeIfPossible(temporary)
      throw error
    }
  }
}

async function makeOwnDirectory(bundle: string, path: string): Promise<void> {
  try {
    await mkdir(path, 0o755)
  } catch (error) {
    if (leadsNowhere(error)) throw noDirectory(bundle, error)
    if (!isSystemError(error, 'EEXIST')) throw error
    if ((await lstat(path)).isDirectory()) return
    throw new OciError('ERR_BUNDLE_INVALID', `"${path}" is no directory`, {
      hint: 'it gets the resolv.conf and hosts of the container: move away what is there',
      cause: error,
    })
  }
}

/** Removes an incomplete file. Errors are passed over, since the caller reports the one of writing. */
async function removeIfPossible(path: string): Promise<void> {
  try {
    await rm(path, { force: true })
  } catch (error) {
    if (!isSystemError(error)) throw error
  }
}

/** Formats a config.json as runc does: indented by tabs, no newline at the end, 64-bit integers exact. */
export function formatRuntimeConfig(config: RuntimeConfig): string {
  return formatExactJson(config, '\t')
}
