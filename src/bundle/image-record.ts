import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { leadsNowhere, OciError } from '../errors.ts'
import { type Digest, parseDigest } from '../oci/digest.ts'
import { checkJsonLimits } from '../oci/json-limits.ts'

/**
 * The image that a bundle was made from. It is the file `image.json` beside config.json:
 * `{"name": "docker.io/library/alpine:3.20", "manifest": "sha256:..."}`. Only `repack` reads it, to compare the bundle with
 * the image; a bundle without it can be run.
 */
export interface ImageRecord {
  /** The image's name, only for information. */
  readonly name: string
  /** The digest of its manifest for one platform. */
  readonly manifest: Digest
}

const fileName = 'image.json'

/** Writes the record of a bundle, which must not have one yet. */
export function writeImageRecord(bundle: string, record: ImageRecord): void {
  writeFileSync(join(bundle, fileName), `${JSON.stringify(record)}\n`, { flag: 'wx' })
}

/** Reads the record of a bundle; undefined if it has none. @throws OciError `ERR_BUNDLE_INVALID` it cannot be read */
export function readImageRecord(bundle: string): ImageRecord | undefined {
  try {
    const text = readFileSync(join(bundle, fileName), 'utf8')
    checkJsonLimits(text)
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null || !('manifest' in value)) throw new Error('it has no "manifest"')
    const name = 'name' in value ? String(value.name) : ''
    return { name, manifest: parseDigest(String(value.manifest)) }
  } catch (cause) {
    if (leadsNowhere(cause)) return undefined
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new OciError('ERR_BUNDLE_INVALID', `cannot read ${join(bundle, fileName)}: ${reason}`, { cause })
  }
}
