import { randomBytes } from 'node:crypto'
import { rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isSystemError, leadsNowhere, OciError } from '../errors.ts'
import { formatExactJson } from '../oci/json.ts'
import type { RuntimeConfig } from '../oci/runtime-config.ts'

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
    if (leadsNowhere(cause)) {
      throw new OciError('ERR_BUNDLE_INVALID', `bundle "${bundle}" is not a directory`, {
        hint: `make one with "bundle-tool pull IMAGE --out ${bundle}", or name another one with --bundle`,
        cause,
      })
    }
    throw cause
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
