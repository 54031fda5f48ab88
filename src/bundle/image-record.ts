import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { leadsNowhere, OciError } from '../errors.ts'
import { type Digest, parseDigest } from '../oci/digest.ts'

/**
 * What image a bundle was made of: the file `image.json` beside config.json, as
 * `{"name": "docker.io/library/alpine:3.20", "manifest": "sha256:..."}`. `repack` compares the bundle with that image;
 * nothing else reads it, and a bundle without it runs as well.
 */
export interface ImageRecord {
  /** What the image was called; for people. */
  readonly name: string
  /** Digest of its manifest, for one platform. */
  readonly manifest: Digest
}

const fileName = 'image.json'

export function writeImageRecord(bundle: string, record: ImageRecord): void {
  writeFileSync(join(bundle, fileName), `${JSON.stringify(record)}\n`, { flag: 'wx' })
}

/** The record of a bundle, or undefined when it has none. @throws OciError `ERR_BUNDLE_INVALID` it cannot be read */
export function readImageRecord(bundle: string): ImageRecord | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(join(bundle, fileName), 'utf8'))
    if (typeof value !== 'object' || value === null || !('manifest' in value)) throw new Error('it has no "manifest"')
    const name = 'name' in value ? String(value.name) : ''
    return { name, manifest: parseDigest(String(value.manifest)) }
  } catch (cause) {
    if (leadsNowhere(cause)) return undefined
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new OciError('ERR_BUNDLE_INVALID', `cannot read ${join(bundle, fileName)}: ${reason}`, { cause })
  }
}
