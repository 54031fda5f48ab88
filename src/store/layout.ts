import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { leadsNowhere, OciError } from '../errors.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { maxManifestBytes } from '../oci/limits.ts'
import { type Index, parseManifest } from '../oci/manifest.ts'
import { ociIndexType } from '../oci/media-types.ts'
import { replaceFile } from './files.ts'
import { withLock } from './lock.ts'

/** The annotation of an index entry that holds the image's name. */
export const refNameAnnotation = 'org.opencontainers.image.ref.name'

/**
 * Reads the index of an OCI image layout.
 *
 * @throws OciError `ERR_SOURCE_INVALID` the directory is not an image layout of version 1; `ERR_MANIFEST_INVALID`
 * @see image-spec v1.1.1 image-layout.md
 */
export async function readLayoutIndex(layout: string): Promise<Index> {
  checkLayoutVersion(await readMember(layout, 'oci-layout'), layout)
  return parseLayoutIndex(await readMember(layout, 'index.json'), join(layout, 'index.json'))
}

/** Checks the content of `oci-layout`. @throws OciError `ERR_SOURCE_INVALID` it does not say version 1 */
export function checkLayoutVersion(content: Uint8Array, where: string): void {
  const version = /"imageLayoutVersion"\s*:\s*"([^"]*)"/.exec(Buffer.from(content).toString('utf8'))?.[1]
  if (version?.startsWith('1.')) return
  throw new OciError('ERR_SOURCE_INVALID', `${where} is an image layout of version "${version ?? ''}", not 1.0.0`)
}

/**
 * Parses the `index.json` of an image layout.
 * @param what the file's name in errors, such as `dir/index.json`
 * @throws OciError `ERR_LIMIT_EXCEEDED`, `ERR_MANIFEST_INVALID`
 */
export function parseLayoutIndex(content: Uint8Array, what: string): Index {
  if (content.byteLength > maxManifestBytes) {
    throw new OciError('ERR_LIMIT_EXCEEDED', `${what} is larger than ${maxManifestBytes} bytes`)
  }
  // No media type is expected: Docker and containerd write an index here that calls itself a Docker list.
  const index = parseManifest(content, { what, isIndex: true })
  if (index.kind === 'index') return index
  throw new OciError('ERR_MANIFEST_INVALID', `${what} is not an index (${ociIndexType})`)
}

/** Changes the list of manifests in a layout; several processes may do so at once. */
export async function updateLayoutIndex(
  layout: string,
  change: (entries: readonly Descriptor[]) => readonly Descriptor[],
): Promise<void> {
  const file = join(layout, 'index.json')
  await withLock(join(layout, 'index.lock'), async () => {
    const { manifests, odd, annotations } = parseLayoutIndex(readFileSync(file), file)
    const entries = [...change(manifests), ...odd.map(({ value }) => value)]
    const index = { schemaVersion: 2, mediaType: ociIndexType, manifests: entries, annotations }
    await replaceFile(file, `${JSON.stringify(index)}\n`)
  })
}

async function readMember(layout: string, name: string): Promise<Buffer> {
  try {
    return await readFile(join(layout, name))
  } catch (error) {
    if (!leadsNowhere(error)) throw error
    throw new OciError('ERR_SOURCE_INVALID', `${layout} is not an OCI image layout: it has no file "${name}"`)
  }
}
