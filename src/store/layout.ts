import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isSystemError, OciError } from '../errors.ts'
import { maxManifestBytes } from '../oci/limits.ts'
import { type Index, parseManifest } from '../oci/manifest.ts'
import { ociIndexType } from '../oci/media-types.ts'

/** The annotation of an index entry that says what the image is called. */
export const refNameAnnotation = 'org.opencontainers.image.ref.name'

/**
 * Reads the index of an OCI image layout.
 *
 * @throws OciError `ERR_SOURCE_INVALID` the directory is no image layout of version 1; `ERR_MANIFEST_INVALID`
 * @see image-spec v1.1.1 image-layout.md
 */
export async function readLayoutIndex(layout: string): Promise<Index> {
  checkLayoutVersion(await readMember(layout, 'oci-layout'), layout)
  return parseLayoutIndex(await readMember(layout, 'index.json'), join(layout, 'index.json'))
}

/** @throws OciError `ERR_SOURCE_INVALID` the content of `oci-layout` does not say version 1 */
export function checkLayoutVersion(content: Uint8Array, where: string): void {
  const version = /"imageLayoutVersion"\s*:\s*"([^"]*)"/.exec(Buffer.from(content).toString('utf8'))?.[1]
  if (version?.startsWith('1.')) return
  throw new OciError('ERR_SOURCE_INVALID', `${where} is an image layout of version "${version ?? ''}", not 1.0.0`)
}

/** @param what how errors name it, as in `dir/index.json` */
export function parseLayoutIndex(content: Uint8Array, what: string): Index {
  if (content.byteLength > maxManifestBytes) {
    throw new OciError('ERR_LIMIT_EXCEEDED', `${what} is larger than ${maxManifestBytes} bytes`)
  }
  // Docker and containerd write an index here that says it is a Docker list; what it is announced as is left open.
  const index = parseManifest(content, { what })
  if (index.kind === 'index') return index
  throw new OciError('ERR_MANIFEST_INVALID', `${what} is not an index (${ociIndexType})`)
}

async function readMember(layout: string, name: string): Promise<Buffer> {
  try {
    return await readFile(join(layout, name))
  } catch (error) {
    if (!isSystemError(error, 'ENOENT', 'ENOTDIR')) throw error
    throw new OciError('ERR_SOURCE_INVALID', `${layout} is not an OCI image layout: it has no file "${name}"`)
  }
}
